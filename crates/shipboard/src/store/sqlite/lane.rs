//! Connections for one purpose, with the same words as PostgreSQL's. Whose rows they are about is said and not
//! held to here: this database knows no row level security.

use sqlx::Transaction;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;

use super::Db;
use crate::store::whose::Whose;

/// Connections, and how a transaction on them begins.
#[derive(Clone, Debug)]
pub(in crate::store) struct Lane {
    pool: SqlitePool,
    begin: &'static str,
}

impl Lane {
    pub(in crate::store) fn new(pool: SqlitePool, begin: &'static str) -> Self {
        Self { pool, begin }
    }

    /// Begins a transaction about these rows.
    pub(in crate::store) async fn begin(
        &self,
        _: impl Into<Whose<'_>>,
    ) -> sqlx::Result<Transaction<'static, Db>> {
        self.pool.begin_with(self.begin).await
    }

    /// For one statement that reads.
    pub(in crate::store) async fn ask(&self, _: impl Into<Whose<'_>>) -> sqlx::Result<PoolConnection<Db>> {
        self.pool.acquire().await
    }

    /// For what is about nobody's rows.
    pub(in crate::store) async fn knock(&self) -> sqlx::Result<PoolConnection<Db>> {
        self.pool.acquire().await
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
