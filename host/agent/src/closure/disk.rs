//! What the disk has of the closure, and what is being written to it.
//!
//! One write at a time: replacing one that is under way would leave unknown what the disk keeps.

use wattle_types::{Generation, Millis};

use super::known::Image;
use crate::backoff::STORE;

#[derive(Debug, Default)]
pub(super) struct Disk {
    /// None: what it has is anybody's guess.
    image: Option<Image>,
    writing: Option<Writing>,
    /// Something of what is followed may not be on disk as it is now.
    touched: bool,
    failures: u32,
    again: Option<Millis>,
}

#[derive(Debug)]
struct Writing {
    generation: Generation,
    of: Of,
    image: Image,
}

/// Which assignment a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The one that is followed as soon as it is written.
    Candidate,
    /// The one that is followed, because something it refers to changed.
    Current,
}

impl Disk {
    /// At the start: what was read from it is all that is there.
    pub(super) fn begin(&mut self, image: Option<Image>) {
        self.touched = image.is_none();
        self.image = image;
    }

    pub(super) const fn image(&self) -> Option<&Image> {
        self.image.as_ref()
    }

    /// What is followed has changed.
    pub(super) const fn touch(&mut self) {
        self.touched = true;
    }

    pub(super) const fn is_touched(&self) -> bool {
        self.touched
    }

    /// What is followed is on disk as it is.
    pub(super) const fn settle(&mut self) {
        self.touched = false;
    }

    /// Whether something can be written now.
    pub(super) fn is_free(&mut self, now: Millis) -> bool {
        self.again = self.again.filter(|at| now < *at);
        self.writing.is_none() && self.again.is_none()
    }

    pub(super) fn is_writing(&self, of: Of) -> bool {
        self.writing.as_ref().is_some_and(|writing| writing.of == of)
    }

    pub(super) fn write(&mut self, generation: Generation, of: Of, image: Image) {
        self.writing = Some(Writing { generation, of, image });
        self.touched = false;
    }

    /// It is on disk, as it was when it was handed over.
    pub(super) fn written(&mut self, generation: Generation) -> Option<Of> {
        let Writing { of, image, .. } = self.take(generation)?;
        (self.image, self.failures) = (Some(image), 0);
        Some(of)
    }

    /// It is not, and everything is to be written again.
    pub(super) fn failed(&mut self, generation: Generation, now: Millis) -> Option<Of> {
        let of = self.take(generation)?.of;
        self.failures += 1;
        self.again = Some(now + STORE.delay_ms(self.failures));
        (self.image, self.touched) = (None, true);
        Some(of)
    }

    /// When a write that failed is tried again.
    pub(super) const fn due(&self) -> Option<Millis> {
        self.again
    }

    fn take(&mut self, generation: Generation) -> Option<Writing> {
        self.writing.take_if(|writing| writing.generation == generation)
    }
}
