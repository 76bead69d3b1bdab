//! The errors of a request, bounded so that the response stays small however many and however long they are.
use serde::Serialize;
use utoipa::ToSchema;

/// Maximum bytes of a pointer or name that are shown; the rest is replaced by `…`.
const MAX_PLACE: usize = 200;
/// Maximum bytes of a detail.
const MAX_DETAIL: usize = 500;
/// Longer names have no closest match, since similarity depends on both lengths.
const MAX_LIKENED: usize = 64;

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// JSON pointer into the body, as a URI fragment; cut off after 200 bytes, with `…` at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "#/contentUri")]
    pub pointer: Option<String>,
    /// Name of the query parameter or header, or `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "limit")]
    pub parameter: Option<String>,
    /// Stable slug of the rule that is broken.
    #[schema(example = "scheme")]
    pub code: &'static str,
    /// What to do about it.
    #[schema(example = "must be an http or https URL")]
    pub detail: String,
}

impl Fault {
    /// An error in the body; `pointer` starts with `#`.
    pub fn at(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        let pointer = shortened(pointer.into(), MAX_PLACE);
        let detail = shortened(detail.into(), MAX_DETAIL);
        Self { pointer: Some(pointer), parameter: None, code, detail }
    }

    /// An error in a query parameter, a header, or the `path`.
    pub fn of_parameter(
        name: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let name = shortened(name.into(), MAX_PLACE);
        let detail = shortened(detail.into(), MAX_DETAIL);
        Self { pointer: None, parameter: Some(name), code, detail }
    }
}

/// All errors of a request: the first [`Faults::MOST`] in full, and the number of others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    listed: Vec<Fault>,
    more: usize,
}

impl Faults {
    pub const MOST: usize = 100;

    pub fn push(&mut self, fault: Fault) {
        self.add(|| fault);
    }

    /// Adds an error that is built only if it is still listed.
    pub fn add(&mut self, fault: impl FnOnce() -> Fault) {
        if self.listed.len() < Self::MOST {
            self.listed.push(fault());
        } else {
            self.more += 1;
        }
    }

    /// Keeps at most `most` of them.
    #[must_use]
    pub fn at_most(mut self, most: usize) -> Self {
        self.more += self.listed.len().saturating_sub(most);
        self.listed.truncate(most);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The errors listed in full.
    pub fn listed(&self) -> &[Fault] {
        &self.listed
    }

    /// How many there are beyond the listed ones.
    pub fn more(&self) -> usize {
        self.more
    }

    pub fn into_listed(self) -> Vec<Fault> {
        self.listed
    }

    pub fn count(&self) -> usize {
        self.listed.len() + self.more
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { listed: vec![fault], more: 0 }
    }
}

/// `; did you mean X?` when a known name is similar.
pub fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    if name.len() > MAX_LIKENED {
        return String::new();
    }
    known
        .map(|known| (strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase()), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8)
        .map(|(_, known)| format!("; did you mean {known}?"))
        .unwrap_or_default()
}

/// The first `most` bytes of a text, with `…` if there was more.
pub fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_beyond_the_hundredth_are_counted() {
        let mut faults = Faults::default();
        for n in 0..250 {
            faults.push(Fault::at(format!("#/{n}"), "type", "must be a text"));
        }
        assert_eq!((faults.listed().len(), faults.more(), faults.count()), (100, 150, 250));
        assert_eq!(faults.listed()[99].pointer.as_deref(), Some("#/99"));
        let fewer = faults.at_most(10);
        assert_eq!((fewer.listed().len(), fewer.count()), (10, 250));
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let fault = Fault::at(format!("#/a{}", "é".repeat(1000)), "unknown", "é".repeat(1000));
        let pointer = fault.pointer.unwrap();
        assert_eq!(pointer.len(), 199 + "…".len());
        assert!(pointer.ends_with("é…"));
        assert_eq!(fault.detail.len(), 500 + "…".len());
        assert_eq!(Fault::at("#/a", "type", "x").pointer.as_deref(), Some("#/a"));
    }

    #[test]
    fn a_long_name_is_like_nothing() {
        assert_eq!(closest("contenturi", ["contentUri"].into_iter()), "; did you mean contentUri?");
        assert_eq!(closest(&"x".repeat(65), ["x"].into_iter()), "");
    }
}
