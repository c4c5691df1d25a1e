//! Integration tests of mta-list, one module per part.
#![cfg(test)]

mod answer;
mod verp;
