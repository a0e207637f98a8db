//! Connections for one purpose. Each is given out in a transaction that was told whose rows it is about, which
//! the policies of the tables hold it to; that ends with the transaction, so that whoever gets the connection
//! next sees nothing until it has said the same.

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Transaction};

use super::Db;
use crate::store::whose::Whose;

/// Connections, and how a transaction on them begins.
#[derive(Clone, Debug)]
pub(in crate::store) struct Lane {
    pool: PgPool,
    begin: &'static str,
}

impl Lane {
    pub(in crate::store) fn new(pool: PgPool, begin: &'static str) -> Self {
        Self { pool, begin }
    }

    /// Begins a transaction about these rows, whoever leaves meanwhile. The driver takes a transaction for begun
    /// when the answer to BEGIN is there; one that is dropped before would go back to the pool with its
    /// transaction open, and show whoever gets the connection next the same moment for ever.
    #[allow(clippy::disallowed_methods, reason = "it ends by itself, and its caller waits for it")]
    pub(in crate::store) async fn begin(
        &self,
        whose: impl Into<Whose<'_>>,
    ) -> sqlx::Result<Transaction<'static, Db>> {
        // One message: whose rows it is about costs no way there and back.
        let word = whose.into().word().replace('\'', "''");
        let statement = format!("{}; SET LOCAL shipboard.tenant = '{word}'", self.begin);
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(statement)).await });
        begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    /// For one statement that reads. It is undone when dropped, along with the question that each connection is
    /// asked before it is taken back: there is nothing to commit, and nobody waits for that.
    pub(in crate::store) async fn ask(
        &self,
        whose: impl Into<Whose<'_>>,
    ) -> sqlx::Result<Transaction<'static, Db>> {
        self.begin(whose).await
    }

    /// For what is about nobody's rows, and would be shown none.
    pub(in crate::store) async fn knock(&self) -> sqlx::Result<PoolConnection<Db>> {
        self.pool.acquire().await
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
