//! Defines [`Refusal`]: why an object store refused a request, and what it said.
//!
//! The library tells too little apart: a missing bucket is a missing file to it when it reads and an unknown error when it
//! lists, and a wrong key is a missing right. The stores themselves say which it is, all in the same XML.

/// What the user has to see to. With the store's own words where they say more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such bucket or container.
    Bucket,
    /// Nobody has these credentials, or there are none.
    Credentials(String),
    /// Whoever has them may not do this.
    Rights(String),
}

const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];
const BAD_CREDENTIALS: [&str; 9] = [
    "AuthenticationFailed",
    "AuthenticationRequired",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidAuthenticationInfo",
    "InvalidSecurity",
    "InvalidToken",
    "NoAuthenticationInformation",
    "SignatureDoesNotMatch",
];
/// Where the library asks for the machine's own credentials when it was given none.
const METADATA_SERVERS: [&str; 3] =
    ["http://169.254.169.254/", "http://metadata.google.internal/", "http://metadata/computeMetadata/"];

impl Refusal {
    /// None if the request failed for another reason.
    pub(crate) fn of(error: &object_store::Error) -> Option<Self> {
        use object_store::Error::{PermissionDenied, Unauthenticated};
        let text = error.to_string();
        let code = element(&text, "Code").unwrap_or_default();
        let message = element(&text, "Message").and_then(|message| message.lines().next()).unwrap_or_default();
        let said = || if code.is_empty() { text.clone() } else { format!("{code}: {message}") };
        if NO_BUCKET.contains(&code) {
            return Some(Refusal::Bucket);
        }
        if METADATA_SERVERS.iter().any(|server| text.contains(server)) {
            return Some(Refusal::Credentials("none are given, and this machine has none of its own".to_owned()));
        }
        // Azure has one code for a wrong signature, its emulator another.
        if BAD_CREDENTIALS.contains(&code)
            || message.contains("failed to authenticate")
            || matches!(error, Unauthenticated { .. })
        {
            return Some(Refusal::Credentials(said()));
        }
        let is_forbidden = matches!(error, PermissionDenied { .. })
            || text.contains("status code: 403 Forbidden")
            // Of one file among those of a request that was carried out.
            || text.contains("AccessDenied");
        is_forbidden.then(|| Refusal::Rights(said()))
    }
}

/// The text of the first such element.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    Some(after.split_once(&format!("</{name}>"))?.0.trim())
}
