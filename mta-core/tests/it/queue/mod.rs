//! The queue manager: its order of actions, its log, and a world in which everything goes wrong.

mod scenes;
mod stage;
