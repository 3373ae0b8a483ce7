//! Searches that come at the same time are answered together.
//!
//! Comparing many queries with a vector that is in a register costs little more than comparing one: a scan for a hundred
//! queries takes a few times as long as one for a single query. So a search that finds nothing under way begins at once,
//! and those that come while a scan is running wait and share the next one. Nobody waits who would not have waited for a
//! thread anyway, and the answers have the same bits as if each had been alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anear_pool::{Panicked, PerProcess};
use tokio::sync::oneshot;

use super::{Shared, View};
use crate::error::Result;
use crate::request::{Hit, SearchRequest};

/// Most searches that share a scan, so that the first of them need not wait long.
const TOGETHER_MAX: usize = 256;

/// The searches of one store that wait, and whether somebody is scanning. A forked child begins with none.
#[derive(Debug, Default)]
pub(super) struct Gathered(PerProcess<Arc<Mutex<Queue>>>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Whether a job on the pool takes from `waiting` until it is empty.
    served: bool,
}

/// A search without a filter: its query, what else it asks, and whom to answer.
#[derive(Debug)]
struct Waiting {
    query: Vec<f32>,
    request: SearchRequest,
    answer: oneshot::Sender<Result<Vec<Hit>>>,
}

/// Answers an unfiltered request for a vector, together with those that wait too.
pub(super) async fn search(shared: &Arc<Shared>, query: Vec<f32>, request: SearchRequest) -> Result<Vec<Hit>> {
    let (answer, answered) = oneshot::channel();
    let waiting = Waiting { query, request, answer };
    if shared.gathered.join(waiting) {
        let host = shared.clone();
        shared.pool.spawn(move || serve(&host));
    }
    answered.await.unwrap_or_else(|_| Err(Panicked::unanswered().into()))
}

impl Gathered {
    /// Lets one more wait; says whether the caller must see to it that somebody serves them.
    fn join(&self, waiting: Waiting) -> bool {
        let queue = self.queue();
        let mut queue = lock(&queue);
        queue.waiting.push(waiting);
        !std::mem::replace(&mut queue.served, true)
    }

    /// The next to be answered together; with none, nobody serves any more.
    fn next(&self) -> Vec<Waiting> {
        let queue = self.queue();
        let mut queue = lock(&queue);
        let together = queue.waiting.len().min(TOGETHER_MAX);
        queue.served = together > 0;
        queue.waiting.drain(..together).collect()
    }

    fn queue(&self) -> Arc<Mutex<Queue>> {
        let Ok(queue) = self
            .0
            .get_or_try_init(|| Ok::<_, std::convert::Infallible>(Arc::default()));
        queue
    }
}

/// Held for a push or a drain only; no code of others runs meanwhile.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers all that wait, on a thread of the pool.
fn serve(shared: &Arc<Shared>) {
    loop {
        let mut together = shared.gathered.next();
        if together.is_empty() {
            return;
        }
        together.retain(|waiting| !waiting.answer.is_closed());
        // The members of a scan that panics see that no answer comes; those that wait for the next one are not theirs.
        let _outcome = catch_unwind(AssertUnwindSafe(|| answer_all(View::new(shared.clone()), together)));
    }
}

/// One scan for all whose queries can be compared; the others hear what is wrong with theirs.
fn answer_all(view: View, together: Vec<Waiting>) {
    let mut queries = Vec::new();
    let mut members = Vec::with_capacity(together.len());
    for mut waiting in together {
        match view.prepare(&mut waiting.query) {
            Ok(true) => {
                queries.extend_from_slice(&waiting.query);
                members.push(waiting);
            }
            Ok(false) => answer(waiting.answer, Ok(Vec::new())),
            Err(error) => answer(waiting.answer, Err(error)),
        }
    }
    let ks: Vec<usize> = members.iter().map(|member| member.request.candidates()).collect();
    let found = view.nearest_places(&queries, &ks);
    let mut found = found.map(Vec::into_iter).ok();
    for Waiting {
        query,
        request,
        answer: to,
    } in members
    {
        // Where the scan for all was refused, each asks alone and hears whether it was the reason.
        let own = match found.as_mut().and_then(Iterator::next) {
            Some(own) => Ok(own),
            None => view
                .nearest_places(&query, &[request.candidates()])
                .map(|mut rows| rows.remove(0)),
        };
        answer(to, own.and_then(|own| view.choose(&query, own, &request)));
    }
}

/// Whoever no longer waits needs no answer.
fn answer(to: oneshot::Sender<Result<Vec<Hit>>>, hits: Result<Vec<Hit>>) {
    let _unheard = to.send(hits);
}
