//! Two sets of parameters in one query string, such as the filters and the page of a list.
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use url::form_urlencoded;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

/// For [`super::read_query`]; each set rejects unknown names.
#[derive(Debug)]
pub struct CombinedQuery<A, B>(pub A, pub B);

impl<A: IntoParams, B: IntoParams> IntoParams for CombinedQuery<A, B> {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut all = A::into_params(&place);
        all.extend(B::into_params(&place));
        all
    }
}

/// serde's own `flatten` would neither reject unknown names nor parse numbers.
impl<'de, A, B> Deserialize<'de> for CombinedQuery<A, B>
where
    A: DeserializeOwned + IntoParams,
    B: DeserializeOwned,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = Vec::<(String, String)>::deserialize(deserializer)?;
        let known = A::into_params(|| None);
        let is_known = |(name, _): &(String, String)| known.iter().any(|it| it.name == *name);
        let (first, second) = pairs.into_iter().partition(is_known);
        Ok(Self(part(first).map_err(D::Error::custom)?, part(second).map_err(D::Error::custom)?))
    }
}

fn part<T: DeserializeOwned>(
    pairs: Vec<(String, String)>,
) -> Result<T, serde_html_form::de::Error> {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    serde_html_form::from_str(&query)
}
