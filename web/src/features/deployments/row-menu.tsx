// What can be done with a row without opening it.

import type { Deployment, DeploymentsScope } from "@shipboard/client";
import { useRouter } from "@tanstack/react-router";
import { Ellipsis } from "lucide-react";
import { IconButton } from "~/shared/button";
import { copyText } from "~/shared/copy";
import { Menu, MenuItem, MenuLine } from "~/shared/menu";
import { sourceName } from "~/shared/naming";
import { boardPath, deploymentPath } from "~/shared/paths";
import { readSearch, withField, writeSearch } from "./search";

/** The menu at the row's end. */
export function RowMenu({ scope, row }: { scope: DeploymentsScope; row: Deployment }) {
  const router = useRouter();
  const { actor, workflow_id: workflow, version, url } = row;
  const sha = row.commit.sha;
  const path = deploymentPath(scope, row.id);
  const narrow = (field: "workflow" | "actor", value: string) => {
    const now = readSearch(Object.fromEntries(new URLSearchParams(location.search)));
    router.history.push(boardPath(scope) + writeSearch(withField(now, field, value)));
  };
  return (
    <Menu
      align="end"
      trigger={
        <IconButton
          label={`Actions for ${workflow} ${version ?? ""}`}
          className="relative opacity-60 group-hover:opacity-100 focus-visible:opacity-100 data-[state=open]:opacity-100"
        >
          <Ellipsis size={16} aria-hidden="true" />
        </IconButton>
      }
    >
      <MenuItem onSelect={() => void copyText(new URL(path, location.href).href, "the link")}>
        Copy link
      </MenuItem>
      <MenuItem onSelect={() => void copyText(row.id, "the id")}>Copy id</MenuItem>
      {sha && <MenuItem onSelect={() => void copyText(sha, "the commit")}>Copy commit</MenuItem>}
      {url && (
        <MenuItem onSelect={() => void window.open(url, "_blank", "noopener,noreferrer")}>
          Open in {sourceName(row.source)}
        </MenuItem>
      )}
      <MenuLine />
      <MenuItem onSelect={() => narrow("workflow", workflow)}>Only {workflow}</MenuItem>
      {actor && <MenuItem onSelect={() => narrow("actor", actor)}>Only by {actor}</MenuItem>}
    </Menu>
  );
}
