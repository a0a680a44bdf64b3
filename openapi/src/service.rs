//! The service itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What answers at the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// `penstock`.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// Path of the documentation for people.
    pub docs: String,
    /// Path of the OpenAPI document.
    pub openapi: String,
}

/// Whether the service lives or is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// `ok`.
    pub status: String,
}
