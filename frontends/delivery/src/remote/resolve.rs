//! Runs the MX evaluator over a resolver (RFC 5321 §5.1).

use mta_core::mx::{Route, Step, Target};
use mta_core::ports::Resolver;
use mta_core::report::Report;

/// Asks until the route knows its addresses.
pub(super) async fn resolve(
    mut route: Route,
    resolver: &dyn Resolver,
) -> Result<Vec<Target>, Report> {
    let mut answer = None;
    loop {
        match route.step(answer.take()) {
            Step::Done(result) => return result,
            Step::Need(query) => {
                let heard = resolver.lookup(&query).await;
                answer = Some((query, heard));
            }
        }
    }
}
