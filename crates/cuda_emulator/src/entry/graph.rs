//! Graphs: recorded work, and its replay.

use cuda_loader::error::code;

use super::{Out, entry_points, give, give_if_wanted};
use crate::state::{self, Outcome};
use crate::work::submit_all;

/// Makes a graph ready to launch: a copy, so that the graph itself may end.
fn instantiate(exec: Out<'_, usize>, graph: usize) -> Outcome {
    let mut state = state::enter()?;
    let work = state.graphs.get(graph)?.clone();
    give(exec, state.graphs.insert(work))
}

/// Ends a graph, ready to launch or not.
fn destroy(graph: usize) -> Outcome {
    state::enter()?.graphs.remove(graph)?;
    Ok(())
}

entry_points! {
    /// Makes an empty graph.
    fn cuGraphCreate(graph: Out<'_, usize>, flags: u32) {
        if flags != 0 {
            return Err(code::INVALID_VALUE);
        }
        give(graph, state::enter()?.graphs.insert(Vec::new()))
    }

    /// Makes a graph ready to launch.
    fn cuGraphInstantiateWithFlags(exec: Out<'_, usize>, graph: usize, _flags: u64) {
        instantiate(exec, graph)
    }

    /// How many pieces of work a graph has. The pieces themselves have no handles.
    fn cuGraphGetNodes(graph: usize, nodes: Out<'_, usize>, count: Out<'_, usize>) {
        if nodes.is_some() {
            return Err(code::NOT_SUPPORTED);
        }
        let state = state::enter()?;
        give_if_wanted(count, state.graphs.get(graph)?.len());
        Ok(())
    }

    /// Enqueues the work of a graph.
    fn cuGraphLaunch(exec: usize, stream: usize) {
        let work = state::enter()?.graphs.get(exec)?.clone();
        submit_all(stream, &work)
    }

    /// Ends a graph.
    fn cuGraphDestroy(graph: usize) {
        destroy(graph)
    }

    /// Ends a graph that is ready to launch.
    fn cuGraphExecDestroy(exec: usize) {
        destroy(exec)
    }
}
