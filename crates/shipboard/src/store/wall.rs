//! The second wall: PostgreSQL shows a connection the rows of whom it is about, and of nobody else, whatever is
//! asked of it. Nothing here goes through the verbs, which say whose rows they want anyway.

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::contract::{birth, post, second};
use super::postgres::{BEGIN_READ, BEGIN_WRITE, Lane};
use super::whose::Whose;
use super::{EnvKey, Store};
use crate::servers::Service;

/// A database with all its tables, and its superuser's connection.
async fn database() -> (Service, Store, PgConnection) {
    let service = Service::postgres();
    let store = Store::open(&service.url()).await.unwrap();
    let root = PgConnection::connect(&service.superuser_url()).await.unwrap();
    (service, store, root)
}

/// Every table, but for the one that migrations are noted in.
async fn tables(connection: &mut PgConnection) -> Vec<String> {
    let sql = "select relname::text from pg_class where relnamespace = 'public'::regnamespace
               and relkind in ('r', 'p') and relname <> '_sqlx_migrations' order by relname";
    sqlx::query_scalar(sql).fetch_all(connection).await.unwrap()
}

/// Tables that are no tenant's: of sessions, which people may have in several, and of two counts, which are
/// nobody's and have no policy.
const OF_PEOPLE: &str = "sessions";
const OF_NOBODY: &str = "credential_changes";

/// A row of a table, as JSON, with something in each column.
async fn row(connection: &mut PgConnection, table: &str, tenant: &str) -> String {
    let sql = format!(
        "select jsonb_object_agg(attname, case format_type(atttypid, null) when 'bigint' then '1'::jsonb
             when 'boolean' then 'true' else '\"1\"' end)::text
         from pg_attribute where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped"
    );
    let row: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await.unwrap();
    let mut row: serde_json::Value = serde_json::from_str(&row).unwrap();
    if row.get("tenant").is_some() {
        row["tenant"] = tenant.into();
    }
    row.to_string()
}

async fn insert(connection: &mut PgConnection, table: &str, row: &str) -> sqlx::Result<u64> {
    let sql = format!("insert into {table} select * from jsonb_populate_record(null::{table}, '{row}')");
    Ok(sqlx::query(AssertSqlSafe(sql)).execute(connection).await?.rows_affected())
}

async fn affected(connection: &mut PgConnection, sql: String) -> u64 {
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await.unwrap().rows_affected()
}

/// Takes away what keeps rows for other reasons: what they refer to, and the audit log's own guard.
async fn unguard(root: &mut PgConnection) {
    sqlx::query("set session_replication_role = replica").execute(&mut *root).await.unwrap();
    sqlx::query("alter table audit disable trigger user").execute(&mut *root).await.unwrap();
}

async fn say(transaction: &mut PgConnection, whose: &str) {
    let said = AssertSqlSafe(format!("set local shipboard.tenant = '{whose}'"));
    sqlx::raw_sql(said).execute(transaction).await.unwrap();
}

fn is_refused(done: &sqlx::Result<u64>) -> bool {
    let error = done.as_ref().err().and_then(sqlx::Error::as_database_error);
    error.and_then(sqlx::error::DatabaseError::code).as_deref() == Some("42501")
}

#[tokio::test]
async fn every_table_with_a_tenant_is_behind_a_policy_that_is_forced() {
    let (_service, store, mut root) = database().await;
    let sql = "select relname::text, relrowsecurity and relforcerowsecurity
                   and exists (select from pg_policy where polrelid = pg_class.oid),
                 exists (select from pg_attribute where attrelid = pg_class.oid and attname = 'tenant')
               from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
                 and relname <> '_sqlx_migrations' order by relname";
    let tables: Vec<(String, bool, bool)> = sqlx::query_as(sql).fetch_all(&mut root).await.unwrap();
    let open: Vec<&str> =
        tables.iter().filter(|(_, is_walled, _)| !is_walled).map(|(name, ..)| name.as_str()).collect();
    assert_eq!(open, [OF_NOBODY], "a migration that makes a table walls it, as the fifth did");
    let of_no_tenant: Vec<&str> =
        tables.iter().filter(|(.., has_tenant)| !has_tenant).map(|(name, ..)| name.as_str()).collect();
    assert_eq!(of_no_tenant, [OF_NOBODY, OF_PEOPLE], "whose are its rows?");
    store.close().await;
}

#[tokio::test]
async fn sessions_and_the_server_s_own_lines_are_shown_to_none_who_is_about_a_tenant_or_says_nothing() {
    let (service, store, mut root) = database().await;
    unguard(&mut root).await;
    let of_people = row(&mut root, OF_PEOPLE, "").await;
    let own_line = row(&mut root, "audit", "").await;
    assert_eq!(insert(&mut root, OF_PEOPLE, &of_people).await.unwrap(), 1);
    assert_eq!(insert(&mut root, "audit", &own_line).await.unwrap(), 1);
    let acmes_line = row(&mut root, "audit", "acme").await;
    let mut other = PgConnection::connect(&service.url()).await.unwrap();
    // The second time the setting was said and taken back, which leaves it empty.
    for (whose, sessions, lines) in [("", 0, 0), ("acme", 0, 0), ("@", 1, 0), ("*", 1, 1), ("", 0, 0)] {
        let mut transaction = other.begin().await.unwrap();
        if !whose.is_empty() {
            say(&mut transaction, whose).await;
        }
        for (table, shown) in [(OF_PEOPLE, sessions), ("audit", lines)] {
            for sql in [format!("select * from {table}"), format!("update {table} set id = '2'")] {
                assert_eq!(affected(&mut transaction, sql).await, shown, "{table} as `{whose}`");
            }
        }
        transaction.rollback().await.unwrap();
        let mut transaction = other.begin().await.unwrap();
        if !whose.is_empty() {
            say(&mut transaction, whose).await;
        }
        let written = insert(&mut transaction, "audit", &acmes_line).await;
        assert_eq!(is_refused(&written), whose.is_empty(), "as `{whose}`: {written:?}");
    }
    // People's sessions are begun and ended beside tenants' rows, and show none of them.
    let tables = tables(&mut root).await;
    for table in tables.iter().filter(|table| ![OF_NOBODY, OF_PEOPLE, "audit"].contains(&table.as_str())) {
        let row = row(&mut root, table, "acme").await;
        assert_eq!(insert(&mut root, table, &row).await.unwrap(), 1);
        let mut transaction = other.begin().await.unwrap();
        say(&mut transaction, "@").await;
        assert_eq!(affected(&mut transaction, format!("select * from {table}")).await, 0, "{table}");
        let written = insert(&mut transaction, table, &row).await;
        assert!(is_refused(&written), "{table}: {written:?}");
    }
    store.close().await;
}

#[tokio::test]
async fn no_table_shows_or_takes_rows_of_a_tenant_that_a_connection_is_not_about() {
    let (service, store, mut root) = database().await;
    unguard(&mut root).await;
    let mut tables = tables(&mut root).await;
    tables.retain(|table| ![OF_NOBODY, OF_PEOPLE].contains(&table.as_str()));
    assert!(tables.len() >= 14, "{tables:?}");
    for table in &tables {
        let row = row(&mut root, table, "acme").await;
        assert_eq!(insert(&mut root, table, &row).await.unwrap(), 1);
    }
    let mut other = PgConnection::connect(&service.url()).await.unwrap();
    for said in ["", "set local shipboard.tenant = ''", "set local shipboard.tenant = 'other'"] {
        for table in &tables {
            let told =
                format!("{table}, after `{said}`: a migration that makes a table with a tenant walls it");
            let mut transaction = other.begin().await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(said.to_owned())).execute(&mut *transaction).await.unwrap();
            for sql in [
                format!("select * from {table}"),
                format!("update {table} set tenant = 'other'"),
                format!("delete from {table}"),
            ] {
                assert_eq!(affected(&mut transaction, sql).await, 0, "{told}");
            }
            let row = row(&mut transaction, table, "acme").await;
            let written = insert(&mut transaction, table, &row).await;
            assert!(is_refused(&written), "{told}: {written:?}");
        }
    }
    // Its own are there, and cannot be given away; and who is about everybody is shown all.
    for table in &tables {
        for (whose, given) in [("acme", false), ("*", true)] {
            let mut transaction = other.begin().await.unwrap();
            say(&mut transaction, whose).await;
            assert_eq!(affected(&mut transaction, format!("select * from {table}")).await, 1, "{table}");
            let give = format!("update {table} set tenant = 'other'");
            let done = sqlx::query(AssertSqlSafe(give)).execute(&mut *transaction).await;
            let is_reference = done.as_ref().is_err_and(|error| {
                error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
            });
            assert_eq!(done.is_ok() || is_reference, given, "{table} as {whose}: {done:?}");
        }
    }
    store.close().await;
}

/// What a verb would be shown that forgot to say `where tenant = …`.
#[tokio::test]
async fn a_query_without_its_where_clause_gives_nothing_of_others() {
    let (service, store, _) = database().await;
    for tenant in ["acme", "other"] {
        let key = EnvKey { tenant: tenant.parse().unwrap(), env: "production".parse().unwrap() };
        let report = post(serde_json::json!({"workflow": "web"}));
        store.write(&key, &[report], Some(&birth(&key)), second(0)).await.unwrap();
    }
    // One connection: what is said on it for one is not there for the next.
    let pool = PgPoolOptions::new().max_connections(1).connect(&service.url()).await.unwrap();
    let (reads, writes) = (Lane::new(pool.clone(), BEGIN_READ), Lane::new(pool, BEGIN_WRITE));
    let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
    let seen = async |whose: Whose<'_>, table: &str| -> Vec<String> {
        let mut transaction = reads.ask(whose).await.unwrap();
        let sql = AssertSqlSafe(format!("select distinct tenant from {table} order by tenant"));
        sqlx::query_scalar(sql).fetch_all(&mut *transaction).await.unwrap()
    };
    for table in ["tenants", "envs", "deployments", "reports", "workflows", "events"] {
        assert_eq!(seen(Whose::Tenants(&acme), table).await, ["acme"]);
        assert_eq!(seen(Whose::Tenants(&other), table).await, ["other"]);
        assert_eq!(seen(Whose::Everybodys, table).await, ["acme", "other"]);
        let mut nobodys = reads.knock().await.unwrap();
        let sql = AssertSqlSafe(format!("select tenant from {table}"));
        let left: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *nobodys).await.unwrap();
        assert_eq!(left, Vec::<String>::new(), "{table}: who says nothing is shown nothing");
    }
    let mut transaction = writes.begin(&acme).await.unwrap();
    assert_eq!(affected(&mut transaction, "update envs set name = 'mine'".to_owned()).await, 1);
    assert_eq!(affected(&mut transaction, "delete from events".to_owned()).await, 3);
    transaction.commit().await.unwrap();
    let key = EnvKey { tenant: other, env: "production".parse().unwrap() };
    assert_eq!(store.env(&key).await.unwrap().unwrap().name, "production");
    store.close().await;
}

#[tokio::test]
async fn a_role_that_walks_through_the_wall_is_noticed() {
    let (service, store, _) = database().await;
    assert_eq!(store.is_walled(), Some(true));
    let root = Store::open(&service.superuser_url()).await.unwrap();
    assert_eq!(root.is_walled(), Some(false));
    root.close().await;
    store.close().await;
}
