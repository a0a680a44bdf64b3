//! Encoders.

use axum::extract::State as Extract;
use penstock_openapi::Encoders;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use crate::wire;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list_encoders))
}

/// The encoders of this build
#[utoipa::path(get, path = "/v1/encoders", tag = "encoders", responses(
    (status = 200, description = "All encoders", body = Encoders)
))]
async fn list_encoders(Extract(state): Extract<State>) -> axum::Json<Encoders> {
    let encoders = state.engine().encoders();
    axum::Json(Encoders {
        encoders: encoders.iter().map(wire::encoder).collect(),
    })
}
