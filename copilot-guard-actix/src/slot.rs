//! Where the request is while the guard works. actix-web's router takes a request only while nobody else holds a
//! clone of it (it panics otherwise), so there is one, and it is handed around.
//!
//! A request of our own making for the response would do as well, but actix-web never frees those.

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::HttpRequest;

/// Holds the one request. Clones are the same place.
#[derive(Clone)]
pub(crate) struct Slot {
    place: Rc<RefCell<Place>>,
}

enum Place {
    /// Not yet used by the inner service.
    Waiting(HttpRequest),
    /// The inner service has it, or lost it.
    Lent,
    /// The inner service has answered.
    Returned(HttpRequest),
}

impl Slot {
    pub(crate) fn new(request: HttpRequest) -> Self {
        Self {
            place: Rc::new(RefCell::new(Place::Waiting(request))),
        }
    }

    /// The request, for the inner service. `None` the second time.
    pub(crate) fn lend(&self) -> Option<HttpRequest> {
        match self.place.replace(Place::Lent) {
            Place::Waiting(request) => Some(request),
            Place::Lent | Place::Returned(_) => None,
        }
    }

    pub(crate) fn give_back(&self, request: HttpRequest) {
        self.place.replace(Place::Returned(request));
    }

    /// The request, wherever it stands; the inner service will not be called any more.
    pub(crate) fn take(&self) -> Option<HttpRequest> {
        match self.place.replace(Place::Lent) {
            Place::Waiting(request) | Place::Returned(request) => Some(request),
            Place::Lent => None,
        }
    }

    /// The request for a response whose body may still call the inner service. A clone, if so: it is gone when the
    /// call comes, because actix-web drops a response's request before it asks for the body.
    pub(crate) fn share(&self) -> Option<HttpRequest> {
        match self.place.replace(Place::Lent) {
            Place::Returned(request) => Some(request),
            Place::Waiting(request) => {
                self.place.replace(Place::Waiting(request.clone()));
                Some(request)
            }
            Place::Lent => None,
        }
    }
}
