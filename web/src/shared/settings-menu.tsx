// Theme, density, times, shortcuts and signing out: what belongs to the person and not to the board.

import { useClient } from "@shipboard/client/react";
import { useRouter } from "@tanstack/react-router";
import {
  Clock,
  History,
  Keyboard,
  KeyRound,
  LogOut,
  Monitor,
  MonitorX,
  Moon,
  Rows3,
  Rows4,
  SlidersHorizontal,
  Sun,
} from "lucide-react";
import { announce } from "~/shared/announce";
import { IconButton } from "~/shared/button";
import { Menu, MenuChoices, MenuItem, MenuLine } from "~/shared/menu";
import { accessPath } from "~/shared/paths";
import { setPreferences, usePreferences } from "~/shared/preferences";
import { afterSignOut, useSession } from "~/shared/session";
import { openShortcuts } from "~/shared/shortcuts";

/** The menu at the right end of the header. */
export function SettingsMenu({ tenant }: { tenant: string }) {
  const { theme, density, times } = usePreferences();
  const session = useSession();
  const client = useClient();
  const router = useRouter();
  const leave = (signOut: () => Promise<void>) => {
    signOut().then(
      () => location.assign(afterSignOut(session)),
      () => announce("Signing out did not work. Try again.", "alert"),
    );
  };
  return (
    <Menu
      align="end"
      trigger={
        <IconButton label="Settings" className="size-8">
          <SlidersHorizontal size={16} aria-hidden="true" />
        </IconButton>
      }
    >
      <MenuChoices
        label="Theme"
        value={theme}
        onChange={(next) => setPreferences({ theme: next })}
        choices={[
          { value: "system", label: "System", icon: <Monitor size={15} aria-hidden="true" /> },
          { value: "light", label: "Light", icon: <Sun size={15} aria-hidden="true" /> },
          { value: "dark", label: "Dark", icon: <Moon size={15} aria-hidden="true" /> },
        ]}
      />
      <MenuLine />
      <MenuChoices
        label="Density"
        value={density}
        onChange={(next) => setPreferences({ density: next })}
        choices={[
          { value: "comfortable", label: "Comfortable", icon: <Rows3 size={15} aria-hidden="true" /> },
          { value: "compact", label: "Compact", icon: <Rows4 size={15} aria-hidden="true" /> },
        ]}
      />
      <MenuLine />
      <MenuChoices
        label="Times"
        value={times}
        onChange={(next) => setPreferences({ times: next })}
        choices={[
          { value: "relative", label: "How long ago", icon: <History size={15} aria-hidden="true" /> },
          { value: "exact", label: "Exact", icon: <Clock size={15} aria-hidden="true" /> },
        ]}
      />
      <MenuLine />
      <MenuItem onSelect={openShortcuts}>
        <Keyboard size={15} aria-hidden="true" />
        <span className="grow">Keyboard shortcuts</span>
        <kbd className="font-mono text-xs text-faint">?</kbd>
      </MenuItem>
      {session?.administers(tenant) && (
        <MenuItem onSelect={() => router.history.push(accessPath(tenant))}>
          <KeyRound size={15} aria-hidden="true" />
          Access and audit
        </MenuItem>
      )}
      {session?.mode === "required" && session.signed_in && (
        <>
          <MenuLine />
          {session.name && (
            <p className="max-w-64 truncate px-2 py-1 text-xs text-faint">Signed in as {session.name}</p>
          )}
          <MenuItem onSelect={() => leave(() => client.api.signOut())}>
            <LogOut size={15} aria-hidden="true" />
            Sign out
          </MenuItem>
          <MenuItem onSelect={() => leave(() => client.api.signOutEverywhere())}>
            <MonitorX size={15} aria-hidden="true" />
            Sign out everywhere
          </MenuItem>
        </>
      )}
    </Menu>
  );
}
