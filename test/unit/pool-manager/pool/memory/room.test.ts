import { expect, test } from "vitest";
import { type Held, Room, roomBeside, spareOf } from "../../../../../pool-manager/pool/memory/room.ts";

const held = (of: Partial<Held>): Held => ({ cost: 100, least: 0, needed: 0, have: 0, ...of });

test.each([
  ["nothing is there", {}, 0],
  ["idle instances are there for nobody", { have: 3 }, 3],
  ["those in use are not", { have: 3, needed: 2 }, 1],
  ["those of minScale are not", { have: 3, least: 2 }, 1],
  ["an instance in use is one of minScale", { have: 3, least: 2, needed: 1 }, 1],
  ["more are needed than there are", { have: 1, needed: 4 }, 0],
])("%s", (_title, of, spare) => {
  expect(spareOf(held(of))).toBe(spare);
});

test.each([
  ["minScale and free instances come first", 2, [], 1000 - 300 - 200],
  ["idle instances take the rest", 2, [held({ have: 2 }), held({ have: 1, cost: 250 })], 1000 - 300 - 200 - 200 - 250],
  ["what is kept in any case may take more", 12, [], 1000 - 300 - 1200],
])("%s", (_title, free, all, room) => {
  expect(roomBeside({ limit: 1000, instance: 100, reserved: 300 }, free, all)).toBe(room);
});

test.each([
  ["as many as fit", 250, 4, 0, 2],
  ["needed ones take no room", 250, 4, 3, 4],
  ["needed ones come without room", -500, 4, 3, 3],
  ["an instance that exists already is not asked for", 250, 2, -2, 2],
  ["without a limit, all", Number.POSITIVE_INFINITY, 40, 0, 40],
])("%s", (_title, bytes, missing, due, granted) => {
  expect(new Room(bytes).grant(missing, due, 100)).toBe(granted);
});

test("room is given once", () => {
  const room = new Room(250);
  expect([room.grant(1, 0, 100), room.grant(5, 0, 100), room.grant(1, 0, 100), room.grant(1, 1, 100), room.grant(1, 0, 50)]).toEqual([1, 1, 0, 1, 1]);
});
