// /styleguide, while developing only: every shared component in every state beside each other, so that whoever
// changes a token or a component sees all that it touches. The switches of theme and density are the real ones.

import { type Link, STATUSES, type Status } from "@shipboard/client";
import { Box, Copy, Ship } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { announce } from "~/shared/announce";
import { Button, IconButton } from "~/shared/button";
import { Duration, RelativeTime } from "~/shared/clock";
import { CopyButton, CopyIcon } from "~/shared/copy";
import { LinkState } from "~/shared/link-state";
import { Menu, MenuCheck, MenuItem, MenuLine } from "~/shared/menu";
import { Failure, Notice } from "~/shared/notice";
import type { ProgressView } from "~/shared/progress";
import { ProgressBar } from "~/shared/progress-bar";
import { SettingsMenu } from "~/shared/settings-menu";
import { Shortcuts } from "~/shared/shortcuts";
import { lookOf, TONE_TEXT, type Tone } from "~/shared/status";
import { StatusBadge } from "~/shared/status-badge";
import { showTab } from "~/shared/tab";

const GROUNDS = ["page", "surface", "sunken", "hover", "line", "edge", "accent", "accent-tint"] as const;
const TONES = Object.keys(TONE_TEXT) as Tone[];
const TEXTS = [
  ["text-2xl font-semibold tracking-tight", "A number that is read from afar"],
  ["text-xl font-semibold tracking-tight", "A page's title"],
  ["text-base font-semibold", "A notice's title"],
  ["font-medium", "A row's name"],
  ["text-cell text-soft", "What stands in a cell"],
  ["text-xs text-faint", "What stands under it"],
  ["font-mono text-xs text-soft", "a1b2c3d and other code"],
] as const;
const SINCE = Date.UTC(2026, 0, 31, 10, 42);
const LINKS: readonly Link[] = [
  { state: { status: "connecting" }, lastEventAt: null },
  { state: { status: "live" }, lastEventAt: SINCE },
  { state: { status: "reconnecting", since: SINCE }, lastEventAt: SINCE },
  { state: { status: "offline", since: SINCE }, lastEventAt: SINCE },
  { state: { status: "stopped", reason: "revoked", http_status: null }, lastEventAt: SINCE },
];
const BARS: readonly ProgressView[] = [
  { percent: 42, from: "reported", tone: "running", label: "42 % · rollout · 3/7" },
  { percent: 63, from: "estimate", tone: "running", label: "≈ 2m left" },
  { percent: 95, from: "estimate", tone: "waiting", label: "≈ 4m over" },
  { percent: 71, from: "reported", tone: "failed", label: "stopped at 71 %" },
  { percent: 0, from: "unknown", tone: "running", label: "no estimate yet" },
];

/** The styleguide. */
export function StyleguidePage() {
  useEffect(() => showTab("Styleguide", null), []);
  return (
    <main className="mx-auto flex max-w-5xl flex-col gap-8 px-6 pt-6 pb-16">
      <header className="flex items-center justify-between">
        <h1 className="text-xl font-semibold tracking-tight">Styleguide</h1>
        <SettingsMenu tenant="acme" />
      </header>
      <Section title="Statuses: icon, word and colour">
        {STATUSES.map((status) => (
          <StatusBadge key={status} status={status} />
        ))}
        {STATUSES.map((status) => (
          <StatusBadge key={`${status} large`} status={status} large />
        ))}
      </Section>
      <Section title="Text">
        <div className="flex flex-col gap-2">
          {TEXTS.map(([look, words]) => (
            <p key={look} className={look}>
              {words}
            </p>
          ))}
        </div>
      </Section>
      <Section title="Grounds">
        {GROUNDS.map((ground) => (
          <Swatch key={ground} token={ground} />
        ))}
      </Section>
      <Section title="Tones, each on its tint">
        {TONES.map((tone) => (
          <Swatch key={tone} token={`${tone}-tint`} ink={tone} />
        ))}
      </Section>
      <Section title="Buttons">
        <Button weight="primary">Save</Button>
        <Button>Load more</Button>
        <Button weight="ghost">Views</Button>
        <Button disabled>Loading…</Button>
        <IconButton label="Copy">
          <Copy size={14} aria-hidden="true" />
        </IconButton>
        <CopyButton text="text" what="the text">
          Copy link
        </CopyButton>
        <CopyIcon text="text" what="the text" />
        <ExampleMenu />
        <Button onClick={() => announce("Copied the link")}>Say something</Button>
        <Button onClick={() => announce("That did not work.", "alert")}>Say that it failed</Button>
      </Section>
      <Section title="Progress">
        <div className="grid w-full gap-3 sm:grid-cols-2">
          {BARS.map((view) => (
            <div key={view.label} className="flex flex-col gap-1 text-xs text-soft">
              {view.label}
              <ProgressBar view={view} label={view.label} />
              <ProgressBar view={view} label={`${view.label}, large`} large />
            </div>
          ))}
        </div>
      </Section>
      <Section title="The link">
        {LINKS.map((link) => (
          <LinkState key={link.state.status} link={link} />
        ))}
      </Section>
      <Section title="Times">
        <RelativeTime at={new Date(SINCE).toISOString()} what="Started" />
        <Duration from={new Date(SINCE).toISOString()} to={new Date(SINCE + 192_000).toISOString()} />
      </Section>
      <Section title="Where rows would be">
        <div className="grid w-full gap-4 md:grid-cols-2">
          <Card>
            <Notice icon={<Ship size={28} strokeWidth={1.5} aria-hidden="true" />} title="Nothing here yet">
              One sentence, and one way on.
            </Notice>
          </Card>
          <Card>
            <Failure
              title="It did not load"
              reason="The server could not be reached."
              onRetry={() => undefined}
            />
          </Card>
        </div>
        <span className="skeleton h-5 w-40" />
      </Section>
      <Shortcuts />
    </main>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-3">
      <h2 className="text-cell font-medium text-soft">{title}</h2>
      <div className="flex flex-wrap items-center gap-3 rounded-xl border border-line bg-surface p-4 shadow-card">
        {children}
      </div>
    </section>
  );
}

const Card = ({ children }: { children: ReactNode }) => (
  <div className="rounded-xl border border-line bg-surface">{children}</div>
);

function Swatch({ token, ink = "ink" }: { token: string; ink?: string }) {
  return (
    <span
      className="flex h-10 items-center rounded-md border border-line px-3 text-xs font-medium"
      style={{ background: `var(--${token})`, color: `var(--${token === "accent" ? "surface" : ink})` }}
    >
      {ink === "ink" ? token : ink}
    </span>
  );
}

function ExampleMenu() {
  const [chosen, choose] = useState<readonly Status[]>(["failed"]);
  const toggle = (status: Status) =>
    choose(chosen.includes(status) ? chosen.filter((one) => one !== status) : [...chosen, status]);
  return (
    <Menu
      trigger={
        <Button>
          <Box size={14} aria-hidden="true" />
          Menu
        </Button>
      }
    >
      {STATUSES.slice(0, 3).map((status) => (
        <MenuCheck key={status} checked={chosen.includes(status)} onChange={() => toggle(status)}>
          {lookOf(status).word}
        </MenuCheck>
      ))}
      <MenuLine />
      <MenuItem>Do it</MenuItem>
      <MenuItem disabled>Not now</MenuItem>
    </Menu>
  );
}
