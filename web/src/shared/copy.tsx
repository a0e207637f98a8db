// Copying: the clipboard, and the buttons that use it. What was copied is said in the status line; a browser
// that forbids it is told of as a failed action.

import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { announce } from "~/shared/announce";
import { Button, IconButton, type Weight } from "~/shared/button";

const DONE_MS = 1_500;

/** Copies a text and says so. */
export async function copyText(text: string, what: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    announce(`Copied ${what}`);
    return true;
  } catch {
    announce("The browser did not allow copying.", "alert");
    return false;
  }
}

function useCopied(text: string, what: string): [boolean, () => void] {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void copyText(text, what).then((done) => {
      setCopied(done);
      setTimeout(() => setCopied(false), DONE_MS);
    });
  };
  return [copied, copy];
}

/** A small copy button beside a value. */
export function CopyIcon({ text, what, className }: { text: string; what: string; className?: string }) {
  const [copied, copy] = useCopied(text, what);
  const Icon = copied ? Check : Copy;
  return (
    <IconButton label={`Copy ${what}`} onClick={copy} {...(className && { className })}>
      <Icon size={13} aria-hidden="true" />
    </IconButton>
  );
}

/** A copy button with a word. */
export function CopyButton({
  text,
  what,
  children,
  weight = "plain",
}: {
  text: string;
  what: string;
  children: string;
  weight?: Weight;
}) {
  const [copied, copy] = useCopied(text, what);
  const Icon = copied ? Check : Copy;
  return (
    <Button weight={weight} onClick={copy}>
      <Icon size={14} aria-hidden="true" />
      {children}
    </Button>
  );
}
