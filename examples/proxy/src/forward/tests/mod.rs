mod blind;
mod ca;
mod intercepted;
mod kit;
mod plan;
mod refusals;
