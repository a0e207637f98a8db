// What stands where a page cannot: an address that leads nowhere, and an error of our own.

import { buttonClass } from "~/shared/button";
import { Failure, Notice } from "~/shared/notice";

/** No page has this address. */
export function MissingPage() {
  return (
    <main className="mx-auto max-w-xl pt-24">
      <Notice
        heading="h1"
        title="There is no such page"
        actions={
          <a href="/" className={buttonClass()}>
            To the board
          </a>
        }
      >
        The address may have been cut off when it was copied.
      </Notice>
    </main>
  );
}

/** The page broke; the reason is for the report, Retry for the reader. */
export function CrashPage({ error }: { error: unknown }) {
  return (
    <main className="mx-auto max-w-xl pt-24">
      <Failure
        heading="h1"
        title="This page broke"
        reason={error instanceof Error ? error.message : "Something unexpected happened."}
        onRetry={() => location.reload()}
      />
    </main>
  );
}
