use penstock_openapi::Encoders;

use super::target::Names;
use super::ui::Ui;
use super::{CliError, Context, help, table};
use crate::wire;

/// List the encoders
#[derive(Debug, clap::Args)]
#[command(after_help = help::ENCODERS)]
pub(super) struct Args {}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let encoders = match context.server()? {
            Some(client) => client.encoders().await?,
            None => Encoders {
                encoders: penstock::encoders(&context.registry(Names::Paths))
                    .iter()
                    .map(wire::encoder)
                    .collect(),
            },
        };
        context.ui.answer(&encoders, show)
    }
}

fn show(ui: &Ui, encoders: &Encoders) -> String {
    let mut rows = table::new(&[
        ("encoder", false),
        ("kind", false),
        ("vector", false),
        ("computed on", false),
        ("licence", false),
        ("", false),
    ]);
    for encoder in &encoders.encoders {
        rows.add_row([
            encoder.name.clone(),
            encoder.kind.clone(),
            format!("{} × {}", encoder.dim, encoder.dtype),
            encoder.device.clone(),
            encoder.licence.clone().unwrap_or_else(|| "-".to_owned()),
            if encoder.is_default {
                "default".to_owned()
            } else {
                String::new()
            },
        ]);
    }
    let mut text = ui.table(&rows);
    for encoder in &encoders.encoders {
        text += &format!("\n{}\n  {}\n", ui.bold(&encoder.name), encoder.description);
    }
    text
}
