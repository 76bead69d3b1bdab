//! Rows as columns, for `unnest`: one statement writes many of them.

/// One field of every row, as an array for `unnest`.
pub fn column<'a, T, C>(rows: &'a [T], member: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(member).collect()
}

/// Concatenated lists, since `unnest` cannot take a list of lists.
pub struct Lists<'a, T> {
    pub members: Vec<&'a T>,
    /// Index of the first member of each list, from 1.
    pub first: Vec<i32>,
    /// Index of its last member; `first` - 1 when the list is empty.
    pub last: Vec<i32>,
}

impl<'a, T> Lists<'a, T> {
    pub fn of(lists: impl Iterator<Item = &'a [T]>) -> Self {
        let mut all = Self { members: Vec::new(), first: Vec::new(), last: Vec::new() };
        for list in lists {
            all.first.push(integer(all.members.len() + 1));
            all.members.extend(list);
            all.last.push(integer(all.members.len()));
        }
        all
    }
}

/// A number of things in memory as Postgres's type `integer`.
pub fn integer(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
