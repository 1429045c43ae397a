//! Defines [`Idempotent`]: an object store behind a network, each of whose requests can be repeated without harm.
//!
//! Requests that fail for a moment are repeated by the library, with pauses that grow, and with a limit (its
//! `RetryConfig`: ten times within three minutes). But where only the answer was lost, the repeated creation of a file
//! finds that file there and is refused, though it is ours; and some requests the library dares not repeat at all. So a
//! file that must not have been there carries the id of the call that creates it: whoever is refused looks whose it is.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use object_store::{
    Attribute, CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use uuid::Uuid;

/// The name of the id in the metadata of a file; one word, as Azure wants it.
const CALL: &str = "call";
/// How often a request is made whose connection broke.
const ATTEMPTS: u32 = 4;
/// Before the second attempt; twice as long before every further one.
const PAUSE: Duration = Duration::from_millis(100);
/// Deletions on their way at once.
const DELETES: usize = 16;

#[derive(Debug)]
pub(crate) struct Idempotent(Arc<dyn ObjectStore>);

impl Idempotent {
    pub(crate) fn new(store: Box<dyn ObjectStore>) -> Self {
        Idempotent(store.into())
    }

    /// One attempt of the call `id` to write `to`, which must not be there.
    async fn create(&self, to: &Path, data: PutPayload, options: PutOptions, id: &str) -> Result<PutResult> {
        let error = match self.0.put_opts(to, data, options).await {
            Err(error) if is_cut_off(&error) || matches!(error, Error::AlreadyExists { .. }) => error,
            put => return put,
        };
        match self.0.get_opts(to, GetOptions::new().with_head(true)).await {
            Ok(found)
                if found.attributes.get(&Attribute::Metadata(CALL.into())).is_some_and(|found| **found == *id) =>
            {
                Ok(PutResult { e_tag: found.meta.e_tag, version: found.meta.version })
            }
            Ok(found) => Err(Error::AlreadyExists { path: found.meta.location.to_string(), source: error.into() }),
            Err(_) => Err(error),
        }
    }
}

impl fmt::Display for Idempotent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Idempotent {
    async fn put_opts(&self, to: &Path, data: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        if options.mode != PutMode::Create {
            return self.0.put_opts(to, data, options).await;
        }
        let id = Uuid::now_v7().to_string();
        options.attributes.insert(Attribute::Metadata(CALL.into()), id.clone().into());
        repeated(|| self.create(to, data.clone(), options.clone(), &id)).await
    }

    async fn put_multipart_opts(&self, to: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(from, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.0.clone();
        let delete = move |path: Result<Path>| {
            let store = store.clone();
            async move {
                let path = path?;
                repeated(|| store.delete(&path)).await?;
                Ok(path)
            }
        };
        paths.map(delete).buffered(DELETES).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.0.clone(), prefix.cloned());
        whole(move || store.list(prefix.as_ref()))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix, offset) = (self.0.clone(), prefix.cloned(), offset.clone());
        whole(move || store.list_with_offset(prefix.as_ref(), &offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        repeated(|| self.0.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match options.mode {
            CopyMode::Overwrite => repeated(|| self.0.copy_opts(from, to, options.clone())).await,
            CopyMode::Create => self.0.copy_opts(from, to, options).await,
        }
    }
}

/// A listing that begins again where its connection breaks: nothing comes before all of it is there.
fn whole(
    list: impl Fn() -> BoxStream<'static, Result<ObjectMeta>> + Send + Sync + 'static,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let collected = async move { repeated(|| list().try_collect::<Vec<_>>()).await };
    stream::once(collected).map_ok(|found| stream::iter(found.into_iter().map(Ok))).try_flatten().boxed()
}

/// Makes a request again while its connection breaks.
async fn repeated<T, F: Future<Output = Result<T>>>(request: impl Fn() -> F) -> Result<T> {
    for attempt in 1..ATTEMPTS {
        match request().await {
            Err(error) if is_cut_off(&error) => {
                tracing::debug!(attempt, %error, "no whole answer came");
                tokio::time::sleep(PAUSE * 2u32.pow(attempt - 1)).await;
            }
            answer => return answer,
        }
    }
    request().await
}

/// Whether no whole answer came, so that nobody knows what became of the request. That there was no connection is known.
fn is_cut_off(error: &Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(http) = inner.downcast_ref::<HttpError>() {
            return http.kind() != HttpErrorKind::Connect;
        }
        cause = inner.source();
    }
    false
}
