//! Reading a body: bounded in size, in time, and in what it unpacks to.

use std::io::Read as _;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, StatusCode};

/// Why a body cannot be read, with the status to answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than this source may send.
    #[error("the body is longer than {} KiB; `max_body_kib` of this source allows more", .0 / 1024)]
    TooLong(usize),
    /// It unpacks to more than this source may send.
    #[error("the body unpacks to more than {} KiB; `max_body_kib` of this source allows more", .0 / 1024)]
    Bomb(usize),
    /// It did not come in time.
    #[error("the body did not come within {0} s")]
    Slow(u64),
    /// It broke off.
    #[error("the body broke off")]
    Broken,
    /// It is not what its `Content-Encoding` says.
    #[error("the body is no gzip, although its `Content-Encoding` says so")]
    NoGzip,
    /// It is packed in a way that is not read.
    #[error("the body is packed by something other than gzip")]
    Encoding,
}

impl BodyError {
    /// Returns the status to answer.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::TooLong(_) | Self::Bomb(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Broken | Self::NoGzip => StatusCode::BAD_REQUEST,
            Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

/// Reads a body as it was sent, at most `cap` bytes of it.
pub(super) async fn read(
    body: Incoming,
    cap: usize,
    patience: Duration,
) -> Result<Vec<u8>, BodyError> {
    // What says beforehand that it is too long is not read at all.
    if body.size_hint().lower() > cap as u64 {
        return Err(BodyError::TooLong(cap));
    }
    let whole = Limited::new(body, cap).collect();
    match tokio::time::timeout(patience, whole).await {
        Err(_) => Err(BodyError::Slow(patience.as_secs())),
        Ok(Ok(read)) => Ok(read.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLong(cap)),
        Ok(Err(_)) => Err(BodyError::Broken),
    }
}

/// Unpacks a body, to at most `cap` bytes, and takes it out of a form.
pub(super) fn open(headers: &HeaderMap, body: Vec<u8>, cap: usize) -> Result<Vec<u8>, BodyError> {
    let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let body = match encoding {
        None | Some(b"identity") => body,
        Some(b"gzip" | b"x-gzip") => unpack(&body, cap)?,
        Some(_) => return Err(BodyError::Encoding),
    };
    let is_form = headers.get(CONTENT_TYPE).is_some_and(|v| {
        v.as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    });
    // GitHub's other content type. GitLab's audit streams say that they are forms and are JSON.
    if is_form && body.starts_with(b"payload=") {
        let found = url::form_urlencoded::parse(&body).find(|(key, _)| key == "payload");
        if let Some((_, value)) = found {
            return Ok(value.into_owned().into_bytes());
        }
    }
    Ok(body)
}

fn unpack(body: &[u8], cap: usize) -> Result<Vec<u8>, BodyError> {
    let mut whole = Vec::new();
    let mut reader = MultiGzDecoder::new(body).take(cap as u64 + 1);
    reader
        .read_to_end(&mut whole)
        .map_err(|_| BodyError::NoGzip)?;
    if whole.len() > cap {
        return Err(BodyError::Bomb(cap));
    }
    Ok(whole)
}
