//! The decision about a connection: the first rule whose key fits (tcprules(1), spec §9.2).

use super::{ParseError, Parser, Peer, Syntax, Variable, record};
use crate::cdb::{Cdb, Damaged};
use std::collections::HashMap;
use std::convert::Infallible;

/// Where rules are looked up: a whole cdb in memory, parsed source, or a file's reader.
pub trait Rules {
    /// Why a look-up failed.
    type Error;

    /// Returns the data of the first record with this key.
    ///
    /// # Errors
    /// Fails where it cannot be said whether there is one.
    fn record(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;
}

impl Rules for Cdb<'_> {
    type Error = Damaged;

    fn record(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Damaged> {
        Ok(self.find(key)?.map(<[u8]>::to_vec))
    }
}

/// Rules in memory, made from source.
#[derive(Clone, Debug, Default)]
pub struct Table {
    records: HashMap<Vec<u8>, Vec<u8>>,
}

impl Table {
    /// Parses a whole source; of rules with the same key the first counts, as in a cdb.
    ///
    /// # Errors
    /// Fails at the first line that is no rule.
    pub fn parse(source: &[u8], syntax: Syntax) -> Result<Self, ParseError> {
        let mut records = HashMap::new();
        for rule in Parser::new(source, syntax) {
            let rule = rule?;
            records.entry(rule.key).or_insert(rule.data);
        }
        Ok(Self { records })
    }
}

impl Rules for Table {
    type Error = Infallible;

    fn record(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.records.get(key).cloned())
    }
}

/// What the rules say about a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// The key that decided; `None` where no rule fits, and then the connection is allowed.
    pub key: Option<Vec<u8>>,
    /// Whether the connection is to be closed.
    pub denied: bool,
    /// What to set in the environment, in this order; of the same name the last counts.
    pub variables: Vec<Variable>,
}

impl Decision {
    /// Returns the value that the rule gives to a variable.
    #[must_use]
    pub fn variable(&self, name: &[u8]) -> Option<&[u8]> {
        let values = self.variables.iter().rev().map(Variable::split);
        let mut fitting = values.filter(|&(found, _)| found == name);
        fitting.find_map(|(_, value)| value)
    }
}

/// Finds the rule for a client. One rule decides alone: there is no merging of several that fit.
///
/// # Errors
/// Fails where the rules cannot be read; the connection is then to be closed.
pub fn decide<R: Rules + ?Sized>(rules: &R, peer: &Peer<'_>) -> Result<Decision, R::Error> {
    for key in peer.keys() {
        if let Some(data) = rules.record(&key)? {
            let (variables, denied) = record::read(&data);
            return Ok(Decision {
                key: Some(key),
                denied,
                variables,
            });
        }
    }
    Ok(Decision::default())
}
