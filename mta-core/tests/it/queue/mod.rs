//! The queue manager: its order of actions, its log, and a world in which everything goes wrong.

mod disk;
mod scenes;
mod stage;
mod turns;
mod world;
