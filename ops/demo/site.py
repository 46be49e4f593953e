"""A person at the site's pages: signs in over HTTP and opens pages, with the standard library alone."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request

from django.urls import reverse


class Visitor:
    """One browser session."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.headers: dict[str, str] = {}
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )

    def sign_in(self, username: str, password: str) -> bool:
        """Whether the site let the person in."""
        address = reverse("accounts:login")
        self.get(address)
        self.post(address, {"username": username, "password": password})
        return self.signed_in

    @property
    def signed_in(self) -> bool:
        return any(cookie.name == "sessionid" for cookie in self.cookies)

    def post(self, address: str, form: dict[str, str]) -> tuple[int, str]:
        """(status, page) of a form that is sent; a page has to be opened before, for its token."""
        token = next((cookie.value for cookie in self.cookies if cookie.name == "csrftoken"), "") or ""
        data = {**form, "csrfmiddlewaretoken": token}
        return self._open(address, urllib.parse.urlencode(data).encode())

    def get(self, address: str) -> tuple[int, str]:
        """(status, page)."""
        return self._open(address, None)

    def _open(self, address: str, data: bytes | None) -> tuple[int, str]:
        url = self.base_url + address
        request = urllib.request.Request(url, data, {"Referer": url, **self.headers})  # noqa: S310  # always our own http://127.0.0.1
        try:
            with self._opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
