//! The parts that kernels are made of. Each says who must call it together, and where its result
//! is valid.
pub mod answer;
pub mod bins;
pub mod element;
pub mod lists;
pub mod masking;
pub mod mass;
pub mod part;
pub mod parts;
pub mod queue;
pub mod rows;
pub mod scan;
pub mod sort;
pub mod survey;
pub mod team;
pub mod tops;
