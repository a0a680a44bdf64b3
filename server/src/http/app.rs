//! The router and the OpenAPI document, put together from the resources.

use std::collections::BTreeMap;

use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::{HeaderValue, StatusCode};
use penstock_openapi::{PROBLEM_JSON, Problem};
use penstock_types::ErrorCode;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{
    Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
    ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config as UiConfig, SwaggerUi};

use super::error::ApiError;
use super::{
    State, arrays, batch, duplicates, embed, encoders, heads, ingest, job, late, maintain,
    matching, motif, observe, search, service, snapshots, sql, tables, warm, zarr,
};

/// What the Swagger pages may do: load what this server serves, and nothing else. Their styles are
/// partly set by script.
const DOCS_POLICY: &str = "default-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// What a Zarr key or an array's name may hold is more than a segment: axum writes such paths with
/// a star, OpenAPI does not know them.
const WILD: [(&str, &str); 2] = [
    (
        "/v1/snapshots/{snapshot}/zarr/raw/{*key}",
        "/v1/snapshots/{snapshot}/zarr/raw/{key}",
    ),
    (
        "/v1/snapshots/{snapshot}/arrays/{*array}",
        "/v1/snapshots/{snapshot}/arrays/{array}/rows",
    ),
];

fn resources() -> OpenApiRouter<State> {
    OpenApiRouter::with_openapi(head())
        .merge(service::routes())
        .merge(tables::routes())
        .merge(ingest::routes())
        .merge(maintain::routes())
        .merge(warm::routes())
        .merge(search::routes())
        .merge(matching::routes())
        .merge(duplicates::routes())
        .merge(batch::routes())
        .merge(late::routes())
        .merge(motif::routes())
        .merge(sql::routes())
        .merge(encoders::routes())
        .merge(embed::routes())
        .merge(heads::routes())
        .merge(snapshots::routes())
        .merge(zarr::routes())
        .merge(arrays::routes())
        .merge(job::routes())
}

/// The OpenAPI document of the REST interface.
#[must_use]
pub fn openapi() -> OpenApi {
    completed(resources().split_for_parts().1)
}

/// The OpenAPI document as `openapi/openapi.json` holds it.
#[must_use]
pub fn openapi_json() -> String {
    // Nothing in the document is without a form in JSON.
    let mut text = serde_json::to_string_pretty(&openapi()).unwrap_or_default();
    text.push('\n');
    text
}

/// The whole service.
pub(super) fn router(state: State) -> axum::Router {
    let (router, _) = resources().split_for_parts();
    let json = bytes::Bytes::from(openapi_json());
    let docs = SwaggerUi::new("/docs").config(
        UiConfig::from("/openapi.json")
            .try_it_out_enabled(true)
            .display_request_duration(true)
            .filter(true)
            .validator_url("none"),
    );
    let docs = axum::Router::from(docs).layer(middleware::map_response(
        |mut response: axum::response::Response| async move {
            let headers = response.headers_mut();
            headers.insert(
                CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(DOCS_POLICY),
            );
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        },
    ));
    let limit = state.config().max_body_bytes;
    router
        .route(
            "/openapi.json",
            get(move || async move {
                ([(http::header::CONTENT_TYPE, "application/json")], json).into_response()
            }),
        )
        .merge(docs)
        .fallback(|| async { ApiError::new(ErrorCode::NotFound, "there is no such path") })
        .method_not_allowed_fallback(|| async {
            ApiError::with_status(
                ErrorCode::InvalidArgument,
                StatusCode::METHOD_NOT_ALLOWED,
                "the path exists, but not with this method; the header Allow lists those that it has",
            )
        })
        .layer(DefaultBodyLimit::max(limit))
        .layer(middleware::from_fn_with_state(state.clone(), observe::observe))
        .with_state(state)
}

fn head() -> OpenApi {
    let license = LicenseBuilder::new()
        .name("Apache-2.0")
        .identifier(Some("Apache-2.0"))
        .build();
    let info = InfoBuilder::new()
        .title("Penstock")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license))
        .build();
    let tag = |name: &str, text: &str| {
        utoipa::openapi::tag::TagBuilder::new()
            .name(name)
            .description(Some(text))
            .build()
    };
    OpenApiBuilder::new()
        .info(info)
        .tags(Some([
            tag("tables", "Load files, look at tables, look after them"),
            tag("search", "Nearest rows by id, sequence, vector or file"),
            tag(
                "indexes",
                "Indexes in memory, and how well indexes find what is there",
            ),
            tag("sql", "Read-only SQL over all tables"),
            tag(
                "snapshots",
                "Rows and columns that never change, as chunked arrays for solvers",
            ),
            tag("jobs", "Long work"),
            tag("encoders", "What makes feature columns"),
            tag("heads", "Secondary structure from the vectors of residues"),
            tag("service", "Probes, counters, documentation"),
        ]))
        .build()
}

const DESCRIPTION: &str = "\
Protein, DNA, mesh and graph files in; search, SQL and chunked arrays for solvers out.

Long work answers 202 with a job, whose `Location` can be polled and deleted (which cancels it); \
with `Prefer: wait=N` the answer comes within N seconds as the result itself. Every error is a \
problem (RFC 9457) with a stable `type`, a `request_id` and `retryable`. A repetition of a write \
with the same `Idempotency-Key` is safe.";

/// Adds what holds for every operation: the problems that it may answer with.
fn completed(mut document: OpenApi) -> OpenApi {
    for (given, shown) in WILD {
        if let Some(item) = document.paths.paths.remove(given) {
            document.paths.paths.insert(shown.to_owned(), item);
        }
    }
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
        ];
        operations.into_iter().flatten().for_each(add_problems);
    }
    let components = document.components.get_or_insert_default();
    components
        .schemas
        .insert(Problem::name().into_owned(), Problem::schema());
    let mut nested = Vec::new();
    Problem::schemas(&mut nested);
    components.schemas.extend(nested);
    for (name, text) in PROBLEMS.values() {
        components
            .responses
            .insert((*name).to_owned(), RefOr::T(problem_response(text)));
    }
    document
}

/// The problems by status: name of the component, and what it says.
static PROBLEMS: std::sync::LazyLock<BTreeMap<&str, (&str, &str)>> =
    std::sync::LazyLock::new(|| {
        BTreeMap::from([
            ("400", ("InvalidArgument", "The request makes no sense")),
            ("404", ("NotFound", "There is no such thing")),
            ("408", ("UploadStopped", "The upload stopped halfway")),
            (
                "406",
                ("NotAcceptable", "There is no such form of the answer"),
            ),
            (
                "409",
                (
                    "Conflict",
                    "It exists already, or something else was faster, or it was cancelled",
                ),
            ),
            ("412", ("PreconditionFailed", "The ETag is another")),
            (
                "413",
                (
                    "LimitExceeded",
                    "A limit of size, time or memory was reached",
                ),
            ),
            (
                "415",
                (
                    "UnsupportedMediaType",
                    "The body has another media type than is taken",
                ),
            ),
            (
                "416",
                ("RangeNotSatisfiable", "The range is behind the end"),
            ),
            (
                "422",
                (
                    "InvalidData",
                    "The data break their rules, or this build cannot do it",
                ),
            ),
            (
                "500",
                ("Internal", "The server failed, or stored data are damaged"),
            ),
            (
                "503",
                (
                    "Unavailable",
                    "The service or its store does not answer; see `retryable` and `outcome`",
                ),
            ),
            ("507", ("StorageFull", "The store is full")),
        ])
    });

fn problem_response(text: &str) -> Response {
    let schema = RefOr::<utoipa::openapi::Schema>::Ref(Ref::from_schema_name(Problem::name()));
    ResponseBuilder::new()
        .description(text)
        .content(PROBLEM_JSON, Content::new(Some(schema)))
        .build()
}

/// What is written where it is used, as all of ours is.
fn inline<T>(part: &RefOr<T>) -> Option<&T> {
    match part {
        RefOr::T(part) => Some(part),
        RefOr::Ref(_) => None,
    }
}

fn add_problems(operation: &mut Operation) {
    let parameters: Vec<&Parameter> = operation
        .parameters
        .iter()
        .flatten()
        .filter_map(inline)
        .collect();
    let (mut in_path, mut in_query, mut ranged) = (false, false, false);
    for parameter in &parameters {
        match parameter.parameter_in {
            ParameterIn::Path => in_path = true,
            ParameterIn::Query => in_query = true,
            ParameterIn::Header if parameter.name == "Range" => ranged = true,
            _ => {}
        }
    }
    let has_body = operation.request_body.is_some();
    let takes_files = operation
        .request_body
        .as_ref()
        .and_then(inline)
        .is_some_and(|body| body.content.contains_key("multipart/form-data"));
    let is_write = operation.responses.responses.contains_key("202");
    let rows_as_asked = parameters
        .iter()
        .any(|parameter| parameter.name == "Accept");
    let mut statuses = vec!["500", "503"];
    if in_path || has_body || in_query {
        statuses.extend(["400", "422"]);
    }
    if in_path || has_body {
        statuses.push("404");
    }
    if has_body {
        statuses.extend(["413", "415"]);
    }
    if has_body || is_write {
        statuses.extend(["409", "507"]);
    }
    if takes_files {
        statuses.push("408");
    }
    if ranged {
        statuses.extend(["412", "413", "416"]);
    }
    if rows_as_asked {
        statuses.push("406");
    }
    for status in statuses {
        if let Some((name, _)) = PROBLEMS.get(status) {
            operation
                .responses
                .responses
                .entry(status.to_owned())
                .or_insert_with(|| RefOr::Ref(Ref::from_response_name(*name)));
        }
    }
}
