// The real locks and channels, as far as this test's machine has them: a name waited for, given up, stolen.

import { expect, test, vi } from "vitest";
import { type Browser, browserTabs } from "./browser";

const pair = (): [Browser, Browser] => {
  const [one, other] = [browserTabs(), browserTabs()];
  if (!one || !other) throw new Error("no locks or channels here");
  return [one, other];
};

test("a name is held by one, may be given up while waiting, and who loses it by force is told", async () => {
  const [one, other] = pair();
  const told: string[] = [];
  const as = (who: string) => ({ held: () => told.push(`${who} has`), lost: () => told.push(`${who} lost`) });
  const letGo = one.hold("name", as("one"));
  await vi.waitFor(() => expect(told).toEqual(["one has"]));
  other.hold("name", as("the impatient"))();
  const letGoOfStolen = other.hold("name", { ...as("the thief"), steal: true });
  await vi.waitFor(() => expect(told).toEqual(["one has", "the thief has", "one lost"]));
  letGo();
  const letGoAgain = one.hold("name", as("one again"));
  letGoOfStolen();
  await vi.waitFor(() => expect(told.at(-1)).toBe("one again has"));
  letGoAgain();
  expect(told).toEqual(["one has", "the thief has", "one lost", "one again has"]);
});

test("a channel is heard by others and not by oneself", async () => {
  const [one, other] = pair();
  const heard: unknown[] = [];
  const ends = [
    one.channel("channel", (message) => heard.push(["one", message])),
    other.channel("channel", (message) => heard.push(["other", message])),
  ];
  ends[0]?.post({ number: 1 });
  await vi.waitFor(() => expect(heard).toEqual([["other", { number: 1 }]]));
  for (const end of ends) end.close();
});
