//! The layer.

use std::marker::PhantomData;

use tower_layer::Layer;

use super::service::GuardService;
use crate::guard::Guard;

/// Puts a [`Guard`] around a gateway. See the [module docs](super).
///
/// `B` is the request body type of the gateway; it is inferred.
#[derive(Debug)]
pub struct GuardLayer<B> {
    guard: Guard,
    body: PhantomData<fn() -> B>,
}

impl<B> GuardLayer<B> {
    /// A layer of this guard.
    pub fn new(guard: Guard) -> Self {
        Self {
            guard,
            body: PhantomData,
        }
    }
}

impl<B> Clone for GuardLayer<B> {
    fn clone(&self) -> Self {
        Self::new(self.guard.clone())
    }
}

impl<S, B> Layer<S> for GuardLayer<B> {
    type Service = GuardService<S, B>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService::new(self.guard.clone(), inner)
    }
}

impl Guard {
    /// The layer of this guard.
    pub fn layer<B>(&self) -> GuardLayer<B> {
        GuardLayer::new(self.clone())
    }
}
