export default {
  async fetch(request) {
    const { name = "world" } = Object.fromEntries(new URL(request.url).searchParams);
    return Response.json({ hello: name });
  },
};
