export default {
  async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const body = request.method === "POST" ? await request.text() : "";
    const name = (body ? JSON.parse(body).name : searchParams.get("name")) ?? "world";
    console.log(`greeting ${name}`);
    return Response.json({ message: `Hello, ${name}!` });
  },
};
