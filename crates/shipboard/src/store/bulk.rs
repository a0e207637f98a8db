//! What is asked and written for many at once. Each engine has its own way to do that.

/// A workflow of which something is asked: all about it from a moment on, or the newest so many.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) workflow: String,
    pub(super) at: i64,
    pub(super) limit: i64,
    /// Versions that are asked for.
    pub(super) among: Vec<String>,
}

/// One column of the rows to write: all columns of an insert are as long as each other.
#[derive(Debug)]
pub(super) enum Values {
    Text(Vec<String>),
    MaybeText(Vec<Option<String>>),
    Int(Vec<i64>),
    MaybeInt(Vec<Option<i64>>),
    Bool(Vec<bool>),
}

/// Rows of a table: its columns' names, with their values.
#[derive(Debug)]
pub(super) struct Rows {
    /// Columns whose value is the same in every row.
    pub(super) same: Vec<(&'static str, String)>,
    /// The others.
    pub(super) columns: Vec<(&'static str, Values)>,
}

impl Rows {
    /// Rows of one env: `tenant` and `env` are in every table.
    pub(super) fn of(key: &super::EnvKey) -> Self {
        let same = vec![("tenant", key.tenant.to_string()), ("env", key.env.to_string())];
        Self { same, columns: Vec::new() }
    }

    pub(super) fn text(mut self, column: &'static str, values: impl Iterator<Item = String>) -> Self {
        self.columns.push((column, Values::Text(values.collect())));
        self
    }

    pub(super) fn maybe_text(
        mut self,
        column: &'static str,
        values: impl Iterator<Item = Option<String>>,
    ) -> Self {
        self.columns.push((column, Values::MaybeText(values.collect())));
        self
    }

    pub(super) fn int(mut self, column: &'static str, values: impl Iterator<Item = i64>) -> Self {
        self.columns.push((column, Values::Int(values.collect())));
        self
    }

    pub(super) fn maybe_int(
        mut self,
        column: &'static str,
        values: impl Iterator<Item = Option<i64>>,
    ) -> Self {
        self.columns.push((column, Values::MaybeInt(values.collect())));
        self
    }

    pub(super) fn bool(mut self, column: &'static str, values: impl Iterator<Item = bool>) -> Self {
        self.columns.push((column, Values::Bool(values.collect())));
        self
    }

    /// How many rows.
    pub(super) fn len(&self) -> usize {
        match self.columns.first() {
            Some((_, Values::Text(values))) => values.len(),
            Some((_, Values::MaybeText(values))) => values.len(),
            Some((_, Values::Int(values))) => values.len(),
            Some((_, Values::MaybeInt(values))) => values.len(),
            Some((_, Values::Bool(values))) => values.len(),
            None => 0,
        }
    }

    /// The names of all columns, the same ones first.
    pub(super) fn names(&self) -> String {
        let same = self.same.iter().map(|(name, _)| *name);
        same.chain(self.columns.iter().map(|(name, _)| *name)).collect::<Vec<_>>().join(", ")
    }
}
