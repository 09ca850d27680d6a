//! A prepared call has one workspace: it cannot be lent twice at a time.
use aikf_topk::PreparedTopK;

fn enqueue(_: &mut PreparedTopK<f32>) {}

fn call(topk: &mut PreparedTopK<f32>) {
    let mut first = || enqueue(topk);
    let mut second = || enqueue(topk);
    second();
    first();
}

fn main() {}
