import pytest

from zato.server.services.names import dashed, default_service_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("getClientDetails", "get-client-details"),
        ("GetClientDetails", "get-client-details"),
        ("my_module", "my-module"),
        ("GetPDFFile", "get-pdf-file"),
        ("PDF", "pdf"),
        ("HTTPServer2", "http-server2"),
        ("V2API", "v2-api"),
        ("get_Client", "get-client"),
        ("Already-Dashed", "already-dashed"),
        ("a", "a"),
        ("ŻółwŁadny", "żółwładny"),
    ],
)
def test_words_of_a_name_are_joined_by_dashes(name: str, expected: str) -> None:
    assert dashed(name) == expected


def test_a_service_is_called_after_its_file_and_its_class() -> None:
    assert default_service_name("someModule", "GetThing") == "some-module.get-thing"
    assert default_service_name("service_api", "MyService") == "service-api.my-service"
    assert (
        default_service_name("tutorial2c_getclientdetails", "GetClientDetails")
        == "tutorial2c-getclientdetails.get-client-details"
    )
    assert default_service_name("files", "GetPDFFile") == "files.get-pdf-file"
    assert default_service_name("my_pkg.sub_module", "GetThing") == "my-pkg.sub-module.get-thing"
