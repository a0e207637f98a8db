// What stands around every page of a board: the header with its switch, the tabs and the link's state, and
// the rule that everything that moves stops with the link. On a wall there is no header, only the dimming.

import type { Link, Scope } from "@shipboard/client";
import { useClient, useLink } from "@shipboard/client/react";
import { useRouter } from "@tanstack/react-router";
import { clsx } from "clsx";
import { type ReactNode, useEffect } from "react";
import { ShipMark } from "~/shared/brand";
import { FrozenAt, frozenAt } from "~/shared/clock";
import { useKeys } from "~/shared/keys";
import { LinkState } from "~/shared/link-state";
import { type Board, boardPath, environmentsPath, rememberBoard, workflowsPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { signInHref } from "~/shared/session";
import { SettingsMenu } from "~/shared/settings-menu";
import { Shortcuts } from "~/shared/shortcuts";
import { Switcher } from "~/shared/switcher";

/** Which tab is open; a deployment's page belongs to the first. */
export type Tab = "deployments" | "workflows" | "environments";

/** The frame of a board's page: its link is the scope's, and it is where to begin next time. */
export function PageFrame({
  scope,
  ...rest
}: Omit<Parameters<typeof LinkedFrame>[0], "link"> & { scope: Scope }) {
  const link = useLink(scope);
  const { tenant, env } = rest.board;
  const loaded = link.state.status === "live";

  useEffect(() => {
    if (loaded) rememberBoard({ tenant, env });
  }, [loaded, tenant, env]);

  return <LinkedFrame {...rest} link={link} />;
}

/** The frame around whatever this link stands for. */
export function LinkedFrame({
  board,
  link,
  tab,
  wall = false,
  children,
}: {
  /** Where the tabs of a single board lead. */
  board: Board;
  link: Link;
  tab: Tab;
  wall?: boolean;
  children: ReactNode;
}) {
  const { clock } = useClient();
  const router = useRouter();
  const frozen = frozenAt(link, clock.offset());
  const signedOut = link.state.status === "stopped" && link.state.reason === "unauthorized";
  useKeys({ w: () => router.history.push(`${environmentsPath(board.tenant)}?where=`) });

  useEffect(() => {
    if (signedOut) location.replace(signInHref(location.pathname + location.search));
  }, [signedOut]);

  return (
    <FrozenAt value={frozen}>
      <div
        data-link={frozen === null ? "up" : "down"}
        {...(wall && { "data-wall": "" })}
        className="min-h-dvh"
      >
        <a
          href="#content"
          className="sr-only z-50 rounded-md bg-ink px-3 py-2 text-page focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
        >
          Skip to content
        </a>
        {wall ? (
          <WallHeader board={board} link={link} />
        ) : (
          <header className="sticky top-0 z-30 border-b border-line bg-surface">
            <div className="mx-auto flex h-(--bar-height) max-w-[110rem] items-center gap-1 px-3 sm:gap-3 sm:px-6">
              <RowLink
                href="/?choose=1"
                aria-label="Shipboard, all boards"
                className="flex items-center gap-2 rounded-md"
              >
                <ShipMark />
                <span className="font-semibold tracking-tight max-lg:hidden">Shipboard</span>
              </RowLink>
              <Switcher board={board} page={tab} />
              <nav aria-label="Pages" className="flex h-full gap-1 max-sm:hidden sm:ml-3">
                <TabLinks board={board} tab={tab} />
              </nav>
              <div className="ml-auto flex items-center gap-1 sm:gap-2">
                <LinkState link={link} />
                <SettingsMenu tenant={board.tenant} />
              </div>
            </div>
            <nav aria-label="Pages" className="flex h-10 gap-1 border-t border-line px-3 sm:hidden">
              <TabLinks board={board} tab={tab} />
            </nav>
          </header>
        )}
        <main
          id="content"
          tabIndex={-1}
          className={clsx(
            "mx-auto px-3 pt-4 pb-16 outline-none sm:px-6 sm:pt-5",
            wall ? "transition-opacity duration-500" : "max-w-[110rem]",
            wall && frozen !== null && "opacity-40",
          )}
        >
          {children}
        </main>
        <Shortcuts />
      </div>
    </FrozenAt>
  );
}

function TabLinks({ board, tab }: { board: Board; tab: Tab }) {
  const tabs = [
    { id: "deployments", label: "Deployments", href: boardPath(board) },
    { id: "workflows", label: "Workflows", href: workflowsPath(board) },
    { id: "environments", label: "Environments", href: environmentsPath(board.tenant) },
  ] as const;
  return tabs.map(({ id, label, href }) => (
    <RowLink
      key={id}
      href={href}
      aria-current={id === tab ? "page" : undefined}
      className={clsx(
        "-mb-px flex items-center border-b-2 px-2.5 text-cell font-medium transition-colors",
        id === tab ? "border-accent text-ink" : "border-transparent text-soft hover:text-ink",
      )}
    >
      {label}
    </RowLink>
  ));
}

function WallHeader({ board, link }: { board: Board; link: Link }) {
  return (
    <header className="mx-auto flex items-center justify-between px-6 pt-5 text-lg">
      <h1 className="flex items-center gap-3 font-semibold">
        <ShipMark size={28} />
        {board.tenant} <span className="text-faint">/</span> {board.env}
      </h1>
      <LinkState link={link} />
    </header>
  );
}
