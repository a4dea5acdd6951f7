//! Of a host that was built without a broker's client: its actors say nothing and hear nothing. One
//! whose spec wants to is not started here (see `start`).

use std::sync::Arc;

use wattle_capability::Messaging;
use wattle_capability::messaging::Silent;
use wattle_tasks::CancellationToken;
use wattle_types::{Messaging as Allowed, SubjectPattern};

use crate::actors::Run;
use crate::router::Router;

#[derive(Clone, Debug)]
pub(crate) struct Post;

impl Post {
    pub(crate) fn new(_router: &Arc<Router>) -> Self {
        Self
    }

    pub(crate) fn voice(&self, _allowed: &Allowed) -> Arc<dyn Messaging> {
        Arc::new(Silent)
    }

    pub(crate) async fn bring(
        self,
        _run: Arc<Run>,
        _patterns: Vec<SubjectPattern>,
        _stop: CancellationToken,
    ) {
    }
}
