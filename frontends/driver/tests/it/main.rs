//! Tests of the driver against scripted streams and paused time.

mod link;
