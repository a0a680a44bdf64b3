use super::{CliError, Context, help};

/// Print the OpenAPI document of the server
#[derive(Debug, clap::Args)]
#[command(after_help = help::OPENAPI)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        context.refuse_server("openapi")?;
        let document = crate::http::openapi();
        context
            .ui
            .print(&document.to_pretty_json().map_err(CliError::Document)?)?;
        context.ui.print("\n")
    }
}
