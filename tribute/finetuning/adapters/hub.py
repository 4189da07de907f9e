"""A model hub, met nowhere else for writing: a folder becomes a commit of a model repository."""

from pathlib import Path

from tribute.errors import ConfigError


def push_folder(folder: Path, repository: str, message: str, *, is_public: bool) -> str:
    """Commit all files of `folder` to `repository` (made, if need be) on `HF_ENDPOINT`; the commit's address.

    A repository that exists keeps its visibility. The token is that of `hf auth login` or HF_TOKEN.
    Raises ConfigError where the hub cannot be reached or refuses.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    api = HfApi()
    try:
        api.create_repo(repository, private=not is_public, exist_ok=True)
        return str(api.upload_folder(repo_id=repository, folder_path=folder, commit_message=message).commit_url)
    except HFValidationError as error:
        raise ConfigError(f"--to {repository}: expected owner/name ({_first_line(error)})") from error
    except (HTTPError, OSError) as error:
        raise ConfigError(
            f"{api.endpoint} did not take {repository}: {_first_line(error)}; check the name, the network and the "
            "token (HF_TOKEN or `hf auth login`), then push again"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
