//! Finds differences from the known contract by walking a body alongside the contract's shapes.
//!
//! Findings never contain values, only the unknown name, its path, and the types and names inside.
//! They are bounded regardless of the input.
mod contract;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::Unreadable;
use crate::{
    drift::{Finding, Kind},
    json::{Members, Tree},
};
use contract::{ENVELOPE, FAILURE, KnownMembers, RESULT, ValueForm};

/// Distinct findings per body; one more stands for the rest.
pub(super) const MOST_FINDINGS: usize = 20;
/// Longest name reported, in bytes.
const LONGEST_NAME: usize = 64;
/// Digits a name may have; with more it is probably an id, a date or a phone number.
const MOST_DIGITS: usize = 4;
/// Replaces anything that does not look like a name.
const UNNAMED: &str = "(unnamed)";
/// Maximum number of types in a sample, and its depth.
const SAMPLE_SIZE: usize = 24;
const SAMPLE_DEPTH: usize = 4;

/// The current path and the findings so far.
#[derive(Debug, Default)]
pub(super) struct DriftWalk {
    /// `*` stands for any index; a known insight's name replaces its index.
    path: Vec<&'static str>,
    found: Vec<Deviation>,
    /// [`MOST_FINDINGS`] is exceeded, so the walk stops.
    is_full: bool,
}

#[derive(Debug)]
struct Deviation {
    kind: Kind,
    path: Vec<&'static str>,
    name: String,
    sample: Value,
}

impl DriftWalk {
    /// Everything except the response.
    pub fn envelope(&mut self, top: &Members<'_>) {
        self.members(top, ENVELOPE);
    }

    pub fn result(&mut self, document: &Members<'_>) {
        self.path.push("response");
        self.members(document, RESULT);
        self.path.pop();
    }

    /// A failure without errors is valid.
    pub fn failure(&mut self, response: &Tree<'_>) {
        if !response.is_null() {
            self.path.push("response");
            self.value(response, &FAILURE);
            self.path.pop();
        }
    }

    pub fn finish(self) -> Vec<Finding> {
        let findings = self.found.into_iter().map(|found| Finding {
            kind: found.kind,
            path: found.path.iter().flat_map(|step| ["/", step]).collect(),
            name: found.name,
            sample: found.sample,
        });
        findings.chain(self.is_full.then(Finding::other)).collect()
    }

    fn value(&mut self, value: &Tree<'_>, shape: &'static ValueForm) {
        match (shape, value) {
            _ if shape.is_plainly(value) => {}
            (ValueForm::OneOf(_), Tree::String(_)) => self.note(Kind::UnknownValue, "", value),
            (ValueForm::List(shape), Tree::Array(items)) => self.items(items, shape),
            (ValueForm::Object(known), Tree::Object(members)) => self.members(members, known),
            (ValueForm::Insights(known), Tree::Object(members)) => {
                self.insight(value, members, known);
            }
            _ => self.note(Kind::UnexpectedType, type_of(value), value),
        }
    }

    fn items(&mut self, items: &[Tree<'_>], shape: &'static ValueForm) {
        let depth = self.path.len();
        for item in items {
            if self.is_full {
                break;
            }
            self.path.push("*");
            self.value(item, shape);
            self.path.truncate(depth);
        }
    }

    fn members(&mut self, members: &Members<'_>, known: &'static KnownMembers) {
        let mut next = 0;
        for (name, value) in &members.0 {
            if self.is_full {
                break;
            }
            let is_this = |(known, _): &(&str, _)| known == name;
            // Most members come in the order of the contract.
            let at = if known.get(next).is_some_and(is_this) {
                Some(next)
            } else {
                known.iter().position(is_this)
            };
            let Some((at, (name, shape))) = at.and_then(|at| Some((at, known.get(at)?))) else {
                self.note(Kind::UnknownMember, name, value);
                continue;
            };
            next = at + 1;
            if !shape.is_plainly(value) {
                self.path.push(name);
                self.value(value, shape);
                self.path.pop();
            }
        }
    }

    /// Without a name it is neither known nor unknown; the reader reports that.
    fn insight(
        &mut self,
        value: &Tree<'_>,
        members: &Members<'_>,
        known: &'static [(&'static str, &'static KnownMembers)],
    ) {
        match members.get("name") {
            Some(Tree::String(name)) => match known.iter().find(|(known, _)| known == name) {
                Some((name, known)) => {
                    self.path.pop();
                    self.path.push(name);
                    self.members(members, known);
                }
                None => self.note(Kind::UnknownInsight, name, value),
            },
            Some(other) => {
                self.path.push("name");
                self.note(Kind::UnexpectedType, type_of(other), other);
            }
            None => {}
        }
    }

    fn note(&mut self, kind: Kind, name: &str, value: &Tree<'_>) {
        let name = shown(name);
        let is_known =
            |found: &Deviation| found.kind == kind && found.name == name && found.path == self.path;
        if self.found.iter().any(is_known) {
            return;
        }
        if self.found.len() >= MOST_FINDINGS {
            self.is_full = true;
            return;
        }
        let mut left = SAMPLE_SIZE;
        let sample = sample(value, SAMPLE_DEPTH, &mut left);
        self.found.push(Deviation { kind, path: self.path.clone(), name: name.to_owned(), sample });
    }
}

impl ValueForm {
    /// Whether the value conforms and has no members to check.
    fn is_plainly(&self, value: &Tree<'_>) -> bool {
        match (self, value) {
            (Self::Any, _)
            | (Self::Text | Self::TextOrNumber, Tree::String(_))
            | (Self::Number | Self::TextOrNumber, Tree::Number(_)) => true,
            (Self::OneOf(known), Tree::String(text)) => known.contains(&text.as_ref()),
            _ => false,
        }
    }
}

impl Unreadable {
    /// The contract violation that makes the body unreadable, if it is one.
    pub fn drift(&self) -> Vec<Finding> {
        let (kind, path) = match self {
            Self::NotAnObject => (Kind::UnexpectedType, ""),
            Self::StatusUnknown => (Kind::UnknownValue, "/status"),
            Self::ResponseNotAnObject => (Kind::UnexpectedType, "/response"),
            _ => return Vec::new(),
        };
        vec![Finding { kind, path: path.into(), name: String::new(), sample: Value::Null }]
    }
}

/// `name` if it looks like a name, so that neither content nor unbounded names get through.
fn shown(name: &str) -> &str {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.$:".contains(&byte);
    let digits = || name.bytes().filter(u8::is_ascii_digit).count();
    if name.len() <= LONGEST_NAME && name.bytes().all(is_part) && digits() <= MOST_DIGITS {
        name
    } else {
        UNNAMED
    }
}

fn type_of(value: &Tree<'_>) -> &'static str {
    match value {
        Tree::Null => "null",
        Tree::Bool(_) => "boolean",
        Tree::Number(_) => "number",
        Tree::String(_) => "string",
        Tree::Array(_) => "array",
        Tree::Object(_) => "object",
    }
}

/// `value` with types in place of values, and lists reduced to their first item.
fn sample(value: &Tree<'_>, depth: usize, left: &mut usize) -> Value {
    *left = left.saturating_sub(1);
    match value {
        Tree::Array(items) if depth > 0 => {
            items.iter().take((*left).min(1)).map(|item| sample(item, depth - 1, left)).collect()
        }
        Tree::Object(Members(members)) if depth > 0 => {
            let mut sampled = Map::new();
            for (name, value) in members {
                if *left == 0 {
                    break;
                }
                sampled.insert(shown(name).to_owned(), sample(value, depth - 1, left));
            }
            Value::Object(sampled)
        }
        other => type_of(other).into(),
    }
}
