//! Runs the MX evaluator over a resolver (RFC 5321 §5.1).

use mta_core::dns::{Answer, Query};
use mta_core::mx::{Route, Step, Target};
use mta_core::report::Report;
use std::future::Future;

/// Asks until the route knows its addresses.
pub(super) async fn resolve<A: Future<Output = Answer>>(
    mut route: Route,
    ask: impl Fn(Query) -> A,
) -> Result<Vec<Target>, Report> {
    let mut answer = None;
    loop {
        match route.step(answer.take()) {
            Step::Done(result) => return result,
            Step::Need(query) => answer = Some((query.clone(), ask(query).await)),
        }
    }
}
