//! The engine: wires the doors, the stations and the ways out to one store, runs them, stops them.

pub mod intake;
