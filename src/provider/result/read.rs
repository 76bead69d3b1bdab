//! Reads one member at a time: the value if it is usable, otherwise an issue with its JSON pointer.
use crate::{
    insights::Issue,
    json::{Members, Tree},
};

/// Issues kept per result; one more sums up the rest.
pub(super) const MOST_ISSUES: usize = 100;
/// Seconds; about 115 days, longer than any recording.
const LONGEST: f64 = 1e7;
/// Bytes in a name or an id. Index entries are limited in size, and each row has a copy.
const LONGEST_LABEL: usize = 200;
const TIME_RANGE: &str = "not within 0 and 10000000 seconds";

/// Stable codes of issues.
#[derive(Debug, Clone, Copy)]
pub(super) enum IssueCode {
    Missing,
    Type,
    Range,
    Encoding,
    Duplicate,
}

impl IssueCode {
    fn slug(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Type => "type",
            Self::Range => "range",
            Self::Encoding => "encoding",
            Self::Duplicate => "duplicate",
        }
    }
}

/// The position in the result object; becomes a JSON pointer only when there is an issue.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Member(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    pub fn member(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Member(name) }
    }

    pub fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    /// Names need no escaping: only members that we look for appear in pointers.
    fn pointer(&self) -> String {
        let parent = self.parent.map(At::pointer).unwrap_or_default();
        match self.step {
            Step::Root => parent,
            Step::Member(name) => format!("{parent}/{name}"),
            Step::Index(index) => format!("{parent}/{index}"),
        }
    }
}

/// Collects issues, the first [`MOST_ISSUES`] in full.
#[derive(Debug)]
pub(super) struct Issues {
    list: Vec<Issue>,
    more: usize,
}

impl Issues {
    pub fn starting_with(list: Vec<Issue>) -> Self {
        Self { list, more: 0 }
    }

    pub fn add(&mut self, at: &At<'_>, code: IssueCode, detail: &str) {
        if self.list.len() >= MOST_ISSUES {
            self.more += 1;
            return;
        }
        self.list.push(Issue {
            pointer: at.pointer(),
            code: code.slug().into(),
            detail: detail.into(),
        });
    }

    pub fn finish(mut self) -> Vec<Issue> {
        if self.more > 0 {
            self.list.push(Issue {
                pointer: String::new(),
                code: "more".into(),
                detail: format!("{} more issues, not listed", self.more),
            });
        }
        self.list
    }
}

/// An object of the result. Its methods return `None` for a member that is absent, null or, with an
/// issue, unusable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub members: &'a Members<'a>,
    pub at: At<'a>,
}

impl<'a> Element<'a> {
    pub fn root(members: &'a Members<'a>) -> Self {
        Self { members, at: At { parent: None, step: Step::Root } }
    }

    pub fn of(value: &'a Tree<'a>, at: At<'a>, issues: &mut Issues) -> Option<Self> {
        let Tree::Object(members) = value else {
            issues.add(&at, IssueCode::Type, expected("an object", value).as_str());
            return None;
        };
        Some(Self { members, at })
    }

    pub fn get(&self, name: &str) -> Option<&'a Tree<'a>> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Adds an issue when the member is absent or null.
    pub fn require(&self, name: &str, issues: &mut Issues) -> Option<&'a Tree<'a>> {
        let value = self.get(name);
        if value.is_none() {
            issues.add(&self.at.member(name), IssueCode::Missing, "required");
        }
        value
    }

    /// The items of a list; empty when it is absent.
    pub fn list(&self, name: &str, issues: &mut Issues) -> &'a [Tree<'a>] {
        match self.get(name) {
            None => &[],
            Some(Tree::Array(items)) => items,
            Some(other) => {
                issues.add(&self.at.member(name), IssueCode::Type, &expected("a list", other));
                &[]
            }
        }
    }

    /// A string, or a number as text; NUL, which Postgres cannot store, becomes U+FFFD.
    pub fn text(&self, name: &str, issues: &mut Issues) -> Option<String> {
        text(self.get(name)?, &self.at.member(name), issues)
    }

    /// A short text used as a name or id.
    pub fn label(&self, name: &str, issues: &mut Issues) -> Option<String> {
        let label = self.text(name, issues)?;
        if label.len() > LONGEST_LABEL {
            issues.add(&self.at.member(name), IssueCode::Range, "longer than 200 bytes");
            return None;
        }
        Some(label)
    }

    /// A number, or a string that contains one.
    pub fn number(&self, name: &str, issues: &mut Issues) -> Option<f64> {
        let value = self.get(name)?;
        let number = number(value);
        if number.is_none() {
            issues.add(&self.at.member(name), IssueCode::Type, &expected("a number", value));
        }
        number
    }

    /// 0 to 1.
    pub fn confidence(&self, issues: &mut Issues) -> Option<f64> {
        let confidence = self.number("confidence", issues)?;
        if !(0.0..=1.0).contains(&confidence) {
            issues.add(&self.at.member("confidence"), IssueCode::Range, "not within 0 and 1");
            return None;
        }
        Some(confidence)
    }

    /// Tries both names that the provider has used over the years.
    pub fn speaker(&self, issues: &mut Issues) -> Option<String> {
        self.label("speakerId", issues).or_else(|| self.label("enrollmentId", issues))
    }

    /// Start and end in seconds; neither if the end precedes the start.
    pub fn span(&self, issues: &mut Issues) -> (Option<f64>, Option<f64>) {
        let (start, end) = (self.seconds("start", issues), self.seconds("end", issues));
        if start.zip(end).is_some_and(|(start, end)| end < start) {
            issues.add(&self.at.member("end"), IssueCode::Range, "before start");
            return (None, None);
        }
        (start, end)
    }

    fn seconds(&self, name: &str, issues: &mut Issues) -> Option<f64> {
        let seconds = self.number(name, issues)?;
        if !(0.0..=LONGEST).contains(&seconds) {
            issues.add(&self.at.member(name), IssueCode::Range, TIME_RANGE);
            return None;
        }
        // Negative zero passes the check; adding zero normalizes it.
        Some(seconds + 0.0)
    }
}

pub(super) fn text(value: &Tree<'_>, at: &At<'_>, issues: &mut Issues) -> Option<String> {
    match value {
        Tree::String(text) if text.contains('\0') => {
            issues.add(at, IssueCode::Encoding, "NUL became U+FFFD");
            Some(without_nul(text))
        }
        Tree::String(text) => Some(text.to_string()),
        Tree::Number(number) => Some(number.to_string()),
        other => {
            issues.add(at, IssueCode::Type, &expected("a string", other));
            None
        }
    }
}

/// `None` also for a string that is not a plain number.
pub(super) fn number(value: &Tree<'_>) -> Option<f64> {
    let text = match value {
        Tree::Number(number) => return number.as_f64(),
        Tree::String(text) => text,
        _ => return None,
    };
    let text = text.trim();
    // `f64::from_str` would also accept "inf" and "nan".
    let plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    text.bytes().all(plain).then(|| text.parse().ok()).flatten().filter(|n: &f64| n.is_finite())
}

/// JSON text that Postgres can read as `jsonb`, which does not allow NUL.
pub(super) fn storable(value: &Tree<'_>, at: &At<'_>, issues: &mut Issues) -> String {
    let text = value.to_string();
    // Also found where a backslash is escaped, so this alone does not decide.
    if !text.contains(r"\u0000") || !value.has_nul() {
        return text;
    }
    issues.add(at, IssueCode::Encoding, "NUL became U+FFFD");
    mapped(value).to_string()
}

fn mapped<'a>(value: &Tree<'a>) -> Tree<'a> {
    match value {
        Tree::String(text) => Tree::String(without_nul(text).into()),
        Tree::Array(items) => Tree::Array(items.iter().map(mapped).collect()),
        Tree::Object(Members(members)) => {
            let each = members.iter();
            let each = each.map(|(name, value)| (without_nul(name).into(), mapped(value)));
            Tree::Object(Members(each.collect()))
        }
        other => other.clone(),
    }
}

fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

pub(super) fn expected(what: &str, found: &Tree<'_>) -> String {
    let found = match found {
        Tree::Null => "null",
        Tree::Bool(_) => "a boolean",
        Tree::Number(_) => "a number",
        Tree::String(_) => "a string",
        Tree::Array(_) => "a list",
        Tree::Object(_) => "an object",
    };
    format!("expected {what}, found {found}")
}
