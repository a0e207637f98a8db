//! The copy follows the database, and asks it no more often than it has to.

use std::sync::Mutex;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::ServeArgs;
use crate::store::trouble::{Fate, Trouble};

/// Counts how often it was looked at the database; the second look waits for the token.
async fn counted(folder: &tempfile::TempDir) -> (Access, Arc<Mutex<usize>>, CancellationToken) {
    let store = Store::open(&format!("sqlite:{}", folder.path().join("board.db").display())).await.unwrap();
    let (looks, held) = (Arc::new(Mutex::new(0)), CancellationToken::new());
    let (counting, holding) = (looks.clone(), held.clone());
    let deal = move |verb: &'static str| {
        let mut looks = counting.lock().unwrap();
        if verb == "changes" {
            *looks += 1;
        }
        let held_before = (verb == "changes" && *looks == 2).then(|| holding.clone());
        Fate { held_before, ..Fate::default() }
    };
    let trouble = Trouble { deal: Box::new(deal), killed: CancellationToken::new(), content: Arc::default() };
    let config = Config::new(ServeArgs::default(), Some(std::path::Path::new("/dev/null"))).unwrap();
    (Access::new(store.troubled(Arc::new(trouble)), &config).await.unwrap(), looks, held)
}

#[tokio::test]
async fn many_who_want_the_copy_compared_share_the_look_that_begins_after_they_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (access, looks, held) = counted(&folder).await;
    let first = access.refresh();
    let others = async {
        let others = join_all((0..50).map(|_| access.refresh()));
        let release = async {
            held.cancel();
            Ok(())
        };
        let (others, released) = tokio::join!(others, release);
        others.into_iter().chain([released]).collect::<Result<Vec<()>>>()
    };
    let (first, others) = tokio::join!(first, others);
    first.and(others.map(drop)).unwrap();
    assert_eq!(
        *looks.lock().unwrap(),
        3,
        "at the start, for the first, and for all who came while that was under way"
    );
}
