//! Searches that are under way at the same time, gathered into one scan.
//!
//! One scan for many queries takes a fraction of the time of many scans. So the searches that come while a scan is
//! running wait, and the next scan takes them all; one that finds nothing running begins at once and waits for nobody.
//! A scan works on the state of the store at its own beginning, after its last member came: each sees every write that
//! was acknowledged before it asked, and gets the answer it would get alone, to the bit.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use anear_pool::{Panicked, PerProcess};
use tokio::sync::oneshot;

use super::{LocalStore, View};
use crate::error::Result;
use crate::request::{Hit, SearchRequest};
use crate::snapshot::Place;

/// Searches of one scan: more gain no speed, and the last would wait for all of them.
const MEMBERS_MAX: usize = 256;

/// Who wants more candidates is searched for alone: those of a full scan are held in memory at once.
const CANDIDATES_MAX: usize = 1024;

/// The searches of a store that wait for the next scan. A forked child has none of its parent's.
#[derive(Debug, Default)]
pub(super) struct Gather(PerProcess<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    /// Whether a scan is under way or called for.
    scanning: bool,
    waiting: VecDeque<Member>,
}

/// A search and who awaits it.
struct Member {
    request: SearchRequest,
    answer: oneshot::Sender<Result<Vec<Hit>>>,
}

impl Gather {
    /// Whether a search may share a scan with others.
    pub(super) fn takes(request: &SearchRequest) -> bool {
        request.filter.is_none() && request.knobs.is_empty() && request.candidates() <= CANDIDATES_MAX
    }

    /// Lets `member` wait for the next scan; whether that is to be called for.
    fn join(&self, member: Member) -> bool {
        self.with(|queue| {
            queue.waiting.push_back(member);
            !std::mem::replace(&mut queue.scanning, true)
        })
    }

    /// Those who waited longest, without those who gave up.
    fn take(&self) -> Vec<Member> {
        self.with(|queue| {
            queue.waiting.retain(|member| !member.answer.is_closed());
            queue.waiting.drain(..queue.waiting.len().min(MEMBERS_MAX)).collect()
        })
    }

    /// The end of a scan; whether another is to be called for.
    fn ended(&self) -> bool {
        self.with(|queue| {
            queue.scanning = !queue.waiting.is_empty();
            queue.scanning
        })
    }

    fn with<R>(&self, change: impl FnOnce(&mut Queue) -> R) -> R {
        change(&mut self.0.get().lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LocalStore {
    /// Searches together with others that are under way; the request's query is a vector.
    pub(super) async fn find_gathered(&self, request: SearchRequest) -> Result<Vec<Hit>> {
        let (answer, answered) = oneshot::channel();
        if self.shared.gather.join(Member { request, answer }) {
            Scanning(self.clone()).begin();
        }
        answered.await.unwrap_or_else(|_| Err(Panicked::lost().into()))
    }
}

/// The one scan of a store that is under way or called for. Dropped, it calls for the next if somebody waits, also when
/// it panicked.
struct Scanning(LocalStore);

impl Scanning {
    /// Calls for the scan. Behind the jobs that wait already: searches without end keep no other reader from its turn.
    fn begin(self) {
        let readers = self.0.shared.readers.clone();
        readers.spawn(move || self.scan());
    }

    fn scan(self) {
        let members = self.0.shared.gather.take();
        // Taken after the members have come.
        let view = self.0.view();
        let mut found = found(&view, members, View::found_each);
        let last = found.pop();
        // Before the next scan is called for, so that nobody waits for it whose candidates are found.
        for (member, candidates) in found {
            let view = view.clone();
            self.0.shared.readers.spawn(move || member.finish(&view, &candidates));
        }
        drop(self);
        if let Some((member, candidates)) = last {
            member.finish(&view, &candidates);
        }
    }
}

impl Drop for Scanning {
    fn drop(&mut self) {
        if self.0.shared.gather.ended() {
            Self(self.0.clone()).begin();
        }
    }
}

/// Each member with its candidates. Those whose query the store refuses get their error and are not among them; a panic
/// is answered to all.
fn found(
    view: &View,
    members: Vec<Member>,
    scan: impl FnOnce(&View, &[&SearchRequest]) -> Result<Vec<Vec<(Place, f32)>>>,
) -> Vec<(Member, Vec<(Place, f32)>)> {
    let mut accepted = Vec::with_capacity(members.len());
    for member in members {
        match view.check(&member.request) {
            Ok(()) => accepted.push(member),
            Err(error) => member.send(Err(error)),
        }
    }
    let requests: Vec<&SearchRequest> = accepted.iter().map(|member| &member.request).collect();
    match Panicked::catch(|| scan(view, &requests).expect("the store accepts each of the queries")) {
        Ok(found) => accepted.into_iter().zip(found).collect(),
        Err(panicked) => {
            for member in accepted {
                member.send(Err(panicked.clone().into()));
            }
            Vec::new()
        }
    }
}

impl Member {
    /// Answers with what the request makes of its candidates, which takes its time if they are to be diverse.
    fn finish(self, view: &View, candidates: &[(Place, f32)]) {
        if !self.answer.is_closed() {
            let hits = Panicked::catch(|| view.ranked(&self.request, candidates));
            self.send(hits.unwrap_or_else(|panicked| Err(panicked.into())));
        }
    }

    fn send(self, answer: Result<Vec<Hit>>) {
        // Whoever gave up has no use for it.
        drop(self.answer.send(answer));
    }
}

#[cfg(test)]
mod tests {
    use anear_embeddings::FakeEmbeddings;

    use super::*;

    fn member(query: Vec<f32>) -> (Member, oneshot::Receiver<Result<Vec<Hit>>>) {
        let (answer, answered) = oneshot::channel();
        let request = SearchRequest::new(query);
        (Member { request, answer }, answered)
    }

    #[test]
    fn a_panic_reaches_every_member_but_those_that_were_refused() {
        let builder = LocalStore::builder(FakeEmbeddings::new(2)).dim(2).unwrap();
        let queries = [vec![0.0, 1.0], vec![0.0], vec![1.0, f32::NAN], vec![1.0, 1.0]];
        let (members, answers): (_, Vec<_>) = queries.into_iter().map(member).unzip();
        let left = found(&builder.build().view(), members, |_, requests| {
            panic!("nine {}", requests.len())
        });
        assert!(left.is_empty());
        let errors = answers
            .into_iter()
            .map(|mut answer| answer.try_recv().unwrap().unwrap_err().to_string());
        let expected = [
            "panicked: nine 2",
            "dimension 2, got 1",
            "NaN at component 1",
            "panicked: nine 2",
        ];
        for (error, expected) in errors.zip(expected) {
            assert!(error.contains(expected), "`{error}` does not say `{expected}`");
        }
    }

    #[test]
    fn a_full_scan_leaves_the_others_to_the_next_and_skips_those_who_gave_up() {
        let gather = Gather::default();
        let mut answers = Vec::new();
        for i in 0..MEMBERS_MAX + 30 {
            let (member, answer) = member(vec![i as f32]);
            assert_eq!(gather.join(member), i == 0, "one scan is called for");
            answers.push(answer);
        }
        answers.drain(..10);
        assert_eq!(gather.take().len(), MEMBERS_MAX);
        assert!(gather.ended(), "somebody waits");
        assert_eq!(gather.take().len(), 20);
        assert!(!gather.ended());
        assert!(
            gather.join(member(Vec::new()).0),
            "after the last scan the next is called for"
        );
    }
}
