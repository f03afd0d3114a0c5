//! `migrate`: brings the database to this version's schema.

use super::compose;
use super::failure::Failure;
use super::printer::Printer;
use crate::config::Settings;

pub async fn run(settings: Settings, printer: &Printer) -> Result<(), Failure> {
    let store = compose::connect(&settings).await?;
    for line in compose::migrate(&store).await? {
        printer.line(line);
    }
    store.close().await;
    Ok(())
}
