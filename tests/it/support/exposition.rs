//! A scrape of metrics, taken apart.
use std::collections::{BTreeMap, BTreeSet};

/// One line of a scrape that is not a comment.
#[derive(Debug, Clone)]
pub struct Series {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

#[derive(Debug)]
pub struct Exposition {
    pub text: String,
    /// Type by name of the family, as in `# TYPE`.
    pub types: BTreeMap<String, String>,
    pub series: Vec<Series>,
}

impl Exposition {
    /// Also checks the form of the text.
    pub fn of(text: String) -> Self {
        assert!(text.ends_with("\n# EOF\n"), "{text}");
        let types: BTreeMap<String, String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
            .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
            .collect();
        let comments = text.lines().filter(|line| line.starts_with("# TYPE ")).count();
        assert_eq!(types.len(), comments, "a family is there twice");
        let series = text.lines().filter(|line| !line.starts_with('#')).map(parsed).collect();
        Self { text, types, series }
    }

    /// The value of the series with exactly these labels.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |series: &&Series| {
            series.name == name
                && series.labels.len() == labels.len()
                && labels.iter().all(|(k, v)| series.labels.get(*k).is_some_and(|it| it == v))
        };
        self.series.iter().find(has).map(|series| series.value)
    }

    /// Sum over all series of that name with this label; `None` if there are none.
    pub fn sum(&self, name: &str, label: (&str, &str)) -> Option<f64> {
        let of = self.all(name);
        of.filter(|it| it.labels.get(label.0).is_some_and(|it| it == label.1))
            .map(|it| it.value)
            .reduce(|a, b| a + b)
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(move |series| series.name == name)
    }

    /// All values of a label.
    pub fn values_of(&self, name: &str, label: &str) -> BTreeSet<String> {
        self.all(name).filter_map(|series| series.labels.get(label).cloned()).collect()
    }
}

/// `name{label="value",…} value`, perhaps with an exemplar after it.
fn parsed(line: &str) -> Series {
    let (line, _exemplar) = line.split_once(" # ").unwrap_or((line, ""));
    let (head, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
    let mut rest = labels.strip_suffix('}').unwrap();
    let mut labels = BTreeMap::new();
    while let Some((label, after)) = rest.split_once("=\"") {
        // No value of a label of ours has a quote or a backslash in it.
        let (value, after) = after.split_once('"').unwrap();
        assert!(!value.contains('\\'), "{line}");
        labels.insert(label.to_owned(), value.to_owned());
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Series { name: name.to_owned(), labels, value: value.parse().unwrap() }
}
