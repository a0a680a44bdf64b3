//! Penstock's own commands and tickets: JSON, stable, stateless.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a solver asks GetFlightInfo for: a snapshot, cut in ranks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotCommand {
    /// Name or SHA-256 digest of the snapshot.
    pub snapshot: String,
    /// Columns wanted; all of them where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// How many endpoints to make; rank r of n has rows `N/n + (N mod n > r)`, contiguous.
    #[serde(default = "one")]
    pub ranks: u64,
}

const fn one() -> u64 {
    1
}

/// What DoGet takes. A client that lost its connection resumes by raising `row0` by the rows that
/// it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotTicket {
    /// SHA-256 digest of the snapshot.
    pub digest: String,
    /// Columns wanted; all of them where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// First row.
    pub row0: u64,
    /// One past the last row.
    pub row1: u64,
}

/// What GetFlightInfo and DoGet take for a pattern in graphs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchCommand {
    /// `table`, and the fields of REST's request for the exact search.
    #[serde(rename = "match")]
    pub wanted: Map<String, Value>,
}

/// The row range of an endpoint, in its `app_metadata`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRange {
    /// The rank.
    pub rank: u64,
    /// Of how many.
    pub of: u64,
    /// First row.
    pub row0: u64,
    /// One past the last row.
    pub row1: u64,
}

/// Whether a command or ticket is Penstock's own.
pub(super) fn is_ours(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'{')
}

/// Whether one of Penstock's own asks where a pattern occurs.
pub(super) fn wants_match(bytes: &[u8]) -> bool {
    let fields: Result<Map<String, Value>, _> = serde_json::from_slice(bytes);
    fields.is_ok_and(|fields| fields.contains_key("match"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_forms_still_read() {
        let command: SnapshotCommand = serde_json::from_str(r#"{"snapshot":"s"}"#).unwrap();
        assert_eq!((command.ranks, command.columns), (1, None));
        let ticket: SnapshotTicket =
            serde_json::from_str(r#"{"digest":"00","columns":["id"],"row0":3,"row1":9}"#).unwrap();
        assert_eq!((ticket.row0, ticket.row1), (3, 9));
    }
}
