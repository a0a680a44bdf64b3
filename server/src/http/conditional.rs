//! Conditional and range requests (RFC 9110, sections 13 and 14), for bytes that never change.

use std::ops::Range;

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use penstock_types::ErrorCode;

use super::error::ApiError;

/// What never changes may be kept for a year, the longest that caches look ahead.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Bytes that are served under one name for ever.
pub(super) struct Representation {
    pub(super) content_type: &'static str,
    /// Without quotes. Strong: equal tags mean equal bytes.
    pub(super) etag: String,
    pub(super) length: u64,
    pub(super) headers: Vec<(HeaderName, String)>,
}

/// What of it is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selected {
    Whole,
    Part(Range<u64>),
    NotModified,
    PreconditionFailed,
    Unsatisfiable,
}

impl Selected {
    /// The bytes to read, if any.
    pub(super) fn range(&self, length: u64) -> Option<Range<u64>> {
        match self {
            Self::Whole => Some(0..length),
            Self::Part(range) => Some(range.clone()),
            _ => None,
        }
    }
}

/// Decides by the request's headers.
pub(super) fn select(headers: &HeaderMap, etag: &str, length: u64) -> Selected {
    let quoted = format!("\"{etag}\"");
    if headers.contains_key(IF_MATCH) && !lists(headers, &IF_MATCH, |tag| tag == quoted) {
        return Selected::PreconditionFailed;
    }
    // A weak comparison, as the RFC has it for If-None-Match.
    if lists(headers, &IF_NONE_MATCH, |tag| {
        tag.strip_prefix("W/").unwrap_or(tag) == quoted
    }) {
        return Selected::NotModified;
    }
    if let Some(validator) = headers.get(IF_RANGE)
        && validator.as_bytes() != quoted.as_bytes()
    {
        return Selected::Whole;
    }
    match headers.get(RANGE).and_then(|range| range.to_str().ok()) {
        Some(range) => parse_range(range, length),
        None => Selected::Whole,
    }
}

fn lists(headers: &HeaderMap, name: &HeaderName, is: impl Fn(&str) -> bool) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || is(tag))
}

/// One range. What is no range of bytes, and more than one, is answered with the whole, as the RFC
/// allows.
fn parse_range(text: &str, length: u64) -> Selected {
    let number = |text: &str| -> Option<u64> {
        let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // Digits beyond 64 bits are beyond the end of everything.
        is_digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let Some((first, last)) = text
        .split_once('=')
        .filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"))
        .and_then(|(_, range)| range.trim().split_once('-'))
    else {
        return Selected::Whole;
    };
    let range = match (number(first.trim()), number(last.trim())) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Some(first), None) if last.trim().is_empty() => first..length,
        (None, Some(suffix)) if first.trim().is_empty() => length.saturating_sub(suffix)..length,
        _ => return Selected::Whole,
    };
    if range.start < range.end {
        Selected::Part(range)
    } else {
        Selected::Unsatisfiable
    }
}

impl Representation {
    /// The answer. `body` holds what [`Selected::range`] asked for; it is empty for HEAD.
    pub(super) fn respond(self, selected: &Selected, body: Body) -> Result<Response, ApiError> {
        let (status, length) = match selected {
            Selected::Whole => (StatusCode::OK, Some(self.length)),
            Selected::Part(range) => (StatusCode::PARTIAL_CONTENT, Some(range.end - range.start)),
            Selected::NotModified => (StatusCode::NOT_MODIFIED, None),
            Selected::PreconditionFailed => {
                return Err(ApiError::with_status(
                    ErrorCode::Conflict,
                    StatusCode::PRECONDITION_FAILED,
                    "the bytes have another ETag than If-Match names",
                ));
            }
            Selected::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, None),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(ACCEPT_RANGES, "bytes");
        if *selected == Selected::Unsatisfiable {
            set(CONTENT_RANGE, &format!("bytes */{}", self.length));
            let detail = format!("the range begins behind the last of {} bytes", self.length);
            let code = ErrorCode::InvalidArgument;
            response.extensions_mut().insert(ApiError::with_status(
                code,
                StatusCode::RANGE_NOT_SATISFIABLE,
                detail,
            ));
            return Ok(response);
        }
        set(ETAG, &format!("\"{}\"", self.etag));
        set(CACHE_CONTROL, IMMUTABLE);
        for (name, value) in &self.headers {
            set(name.clone(), value);
        }
        if let Some(length) = length {
            set(CONTENT_TYPE, self.content_type);
            set(CONTENT_LENGTH, &length.to_string());
        }
        if let Selected::Part(range) = selected {
            let (first, last) = (range.start, range.end - 1);
            set(
                CONTENT_RANGE,
                &format!("bytes {first}-{last}/{}", self.length),
            );
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(HeaderName, &str)]) -> Selected {
        let headers = pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        select(&headers, "e", 10)
    }

    #[test]
    fn ranges() {
        for (text, expected) in [
            ("bytes=0-3", Selected::Part(0..4)),
            ("bytes=4-", Selected::Part(4..10)),
            ("bytes=-3", Selected::Part(7..10)),
            ("bytes=-30", Selected::Part(0..10)),
            ("bytes=8-100", Selected::Part(8..10)),
            ("bytes=0-18446744073709551615", Selected::Part(0..10)),
            ("bytes=10-", Selected::Unsatisfiable),
            ("bytes=10-12", Selected::Unsatisfiable),
            ("bytes=-0", Selected::Unsatisfiable),
            ("bytes=99999999999999999999999-", Selected::Unsatisfiable),
            ("bytes=5-2", Selected::Whole),
            ("bytes=0-1,4-5", Selected::Whole),
            ("bytes=-", Selected::Whole),
            ("bytes=a-b", Selected::Whole),
            ("rows=0-1", Selected::Whole),
            ("bytes", Selected::Whole),
        ] {
            assert_eq!(with(&[(RANGE, text)]), expected, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Selected::Unsatisfiable);
    }

    #[test]
    fn conditions() {
        assert_eq!(with(&[]), Selected::Whole);
        assert_eq!(with(&[(IF_MATCH, "\"e\"")]), Selected::Whole);
        assert_eq!(with(&[(IF_MATCH, "*")]), Selected::Whole);
        assert_eq!(with(&[(IF_MATCH, "W/\"e\"")]), Selected::PreconditionFailed);
        assert_eq!(with(&[(IF_MATCH, "\"x\"")]), Selected::PreconditionFailed);
        assert_eq!(
            with(&[(IF_NONE_MATCH, "\"x\", W/\"e\"")]),
            Selected::NotModified
        );
        assert_eq!(with(&[(IF_NONE_MATCH, "\"x\"")]), Selected::Whole);
        let range = (RANGE, "bytes=0-3");
        assert_eq!(
            with(&[range.clone(), (IF_RANGE, "\"e\"")]),
            Selected::Part(0..4)
        );
        assert_eq!(
            with(&[range.clone(), (IF_RANGE, "W/\"e\"")]),
            Selected::Whole
        );
        assert_eq!(
            with(&[range, (IF_RANGE, "Mon, 01 Jan 2024 00:00:00 GMT")]),
            Selected::Whole
        );
    }
}
