"""A Django project in one file."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="test", DEBUG=False)


def hello(request, name):
    return JsonResponse({"hello": name, "method": request.method, "query": request.GET.dict()})


def boom(request):
    raise RuntimeError("boom")


urlpatterns = [path("hello/<name>", hello), path("boom", boom), path("", lambda request: HttpResponse("root"))]
application = get_wsgi_application()
