//! Metrics of one's own.

use super::{Response, Value};
use crate::Example;
use std::fmt::Debug;

/// A metric that is not among those by name: [`super::Measure::custom`] makes it one of a task's `measures`.
pub trait CustomMetric: Debug + Send + Sync {
    /// Its name in the table of results.
    fn name(&self) -> &str;

    /// What a document contributes.
    ///
    /// # Errors
    /// A sentence that says why it cannot be measured.
    fn value(&self, example: &Example, responses: &[Response]) -> Result<Value, String>;

    /// The number over all documents: their mean unless another is given, whose standard error is then bootstrapped.
    fn aggregate(&self, _values: &[&Value]) -> Option<f64> {
        None
    }

    /// Whether more is better.
    fn higher_is_better(&self) -> bool {
        true
    }
}
